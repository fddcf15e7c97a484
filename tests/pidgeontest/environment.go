package pidgeontest

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"sync/atomic"
)

// baseline is the environment that a server gets unless a test says other.
func baseline(work string) map[string]string {
	env := map[string]string{
		"PATH":          "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LISTEN":        "127.0.0.1",
		"USERS_FILE":    work + "/users",
		"OVERRIDES_DIR": work + "/overrides",
		"RUN_DIR":       work + "/run",
		"STATE_DIR":     work + "/state",
		"MAIL_DIR":      work + "/mail",
		"TLS_CERT_PATH": work + "/certs/tls.crt",
		"TLS_KEY_PATH":  work + "/certs/tls.key",
	}
	for _, name := range []string{
		"IMAP_PORT", "IMAPS_PORT", "POP3_PORT", "POP3S_PORT", "LMTP_PORT", "SIEVE_PORT", "SUBMISSION_PORT", "SUBMISSIONS_PORT",
	} {
		env[name] = FreePort()
	}
	return env
}

func (s *Server) environment() (all []string) {
	for name, value := range s.Environ {
		all = append(all, name+"="+value)
	}
	return all
}

// lastPort begins somewhere else in each run, below the ports that the kernel
// gives to clients.
var lastPort atomic.Int32

func init() { lastPort.Store(int32(10000 + os.Getpid()*97%20000)) }

// FreePort is one that nobody listens on.
func FreePort() string {
	for {
		port := strconv.Itoa(int(lastPort.Add(1)))
		l, err := net.Listen("tcp", ":"+port)
		if err == nil {
			l.Close()
			return port
		}
	}
}

// Users are user0 and those that follow, n of them, with the password "pass", and alice
// with "secret".
func Users(n int) []byte {
	all := []byte("alice:secret\n")
	for i := range n {
		all = fmt.Appendf(all, "user%d:pass\n", i)
	}
	return all
}
