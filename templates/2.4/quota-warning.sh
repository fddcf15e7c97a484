{{- if .Settings.Quota -}}
# Dovecot runs it for a user who has reached a part of the quota. The mail that it
# delivers counts, and may exceed the quota.
percent=$1 user=$2
exec /usr/lib/dovecot/dovecot-lda -c {{ .Dir }}/dovecot.conf -d "$user" -o info_log_path=/dev/null -o quota_enforce=no <<END
From: Mail system <postmaster@{{ .Settings.Hostname }}>
To: <$user>
Subject: Your mailbox is $percent % full
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

Your mailbox has reached $percent % of its {{ .Settings.Quota }}. When it is full it takes no
further mail: delete what you do not need, and empty the trash.
END
{{- end }}
