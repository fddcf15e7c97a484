{{- if .Settings.SpamLearnDir -}}
# A user has moved a mail into Junk.
require ["environment", "imapsieve", "variables", "vnd.dovecot.pipe", "copy"];
if environment :matches "imap.user" "*" { set "user" "${1}"; }
pipe :copy "spam" ["${user}"];
{{- end }}
