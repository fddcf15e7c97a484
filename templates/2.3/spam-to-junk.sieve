{{- if eq .Settings.SpamToJunk "yes" -}}
# What SpamAssassin, Rspamd and their like mark spam with.
require ["fileinto", "mailbox"];
if anyof (header :contains "X-Spam-Flag" "YES", header :contains "X-Spam" "Yes", header :matches "X-Spam-Status" "Yes*") {
    fileinto :create "Junk";
}
{{- end }}
