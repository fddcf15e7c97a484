package watch

import "log/slog"

// notices says a thing once, and again only after it had passed.
type notices struct {
	log       *slog.Logger
	said, now map[string]string // message and subject → message
}

func (n *notices) warn(message, subject string, args ...any) {
	key := message + "\x00" + subject
	if n.said[key] == "" && n.now[key] == "" {
		n.log.Warn(message, args...)
	}
	if n.now == nil {
		n.now = make(map[string]string)
	}
	n.now[key] = message
}

// turn ends a look: what was not said in it has passed.
func (n *notices) turn() {
	for key, message := range n.said {
		if n.now[key] == "" {
			n.log.Info("watching recovered", "from", message)
		}
	}
	n.said, n.now = n.now, nil
}
