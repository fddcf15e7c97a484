{{- if .Settings.SpamLearnDir -}}
# A user has moved a mail out of Junk, and not to throw it away.
require ["environment", "imapsieve", "variables", "vnd.dovecot.pipe", "copy"];
if environment :is "imap.mailbox" "Trash" { stop; }
if environment :matches "imap.user" "*" { set "user" "${1}"; }
pipe :copy "ham" ["${user}"];
{{- end }}
