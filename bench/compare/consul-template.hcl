template {
  contents = "{{ file \"GREETING.in\" }}"
  destination = "GREETING"
}
exec {
  command = ["dovecot", "-F", "-c", "CONF"]
  reload_signal = "SIGHUP"
  kill_signal = "SIGTERM"
}
