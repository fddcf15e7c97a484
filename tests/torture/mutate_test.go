package torture

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"regexp"
	"strings"
	"unicode/utf16"
)

// good are overrides that people do run with, and that change neither who may
// log in nor where mail lies.
var good = []struct{ name, dialect, text string }{
	{"limits", "", `service imap-login {
  process_limit = 300
  client_limit = 400
}
service imap {
  process_limit = 1500
  vsz_limit = 512M
}
`},
	{"lmtp", "", `service lmtp {
  process_min_avail = 1
  unix_listener lmtp-other {
    mode = 0666
  }
}
`},
	{"mailboxes", "", `namespace inbox {
  mailbox Archive {
    auto = create
    special_use = \Archive
  }
  mailbox Spam {
    auto = no
  }
}
`},
	{"sockets", "", `service auth {
  unix_listener auth-other {
    mode = 0660
    user = dovecot
    group = mail
  }
  unix_listener /tmp/auth-mutated {
    mode = 0600
  }
}
`},
	{"idling", "", `imap_idle_notify_interval = 2 mins
mail_max_userip_connections = 50
login_greeting = "Ready, when you are."
protocol imap {
  imap_logout_format = in=%i
}
`},
	{"metrics", "", `service stats {
  inet_listener http {
    port = @FREE@
  }
}
metric logins {
  filter = event=auth_request_finished
}
`},
	{"quota", "2.3", `mail_plugins = $mail_plugins quota
protocol imap {
  mail_plugins = $mail_plugins imap_quota
}
plugin {
  quota = count:User quota
  quota_rule = *:storage=1G
  quota_vsizes = yes
}
`},
	{"quota", "2.4", `mail_plugins {
  quota = yes
}
protocol imap {
  mail_plugins {
    imap_quota = yes
  }
}
quota "User quota" {
  storage_size = 1G
}
`},
	{"certificate", "2.3", `ssl_cert = <@REFS@/good.crt
ssl_key = <@REFS@/good.key
ssl_min_protocol = TLSv1.2
`},
	{"certificate", "2.4", `ssl_server_cert_file = @REFS@/good.crt
ssl_server_key_file = @REFS@/good.key
ssl_min_protocol = TLSv1.2
`},
	{"passdb", "2.3", `passdb {
  driver = passwd-file
  args = scheme=PLAIN @REFS@/users
}
auth_cache_size = 1M
`},
	{"passdb", "2.4", `passdb more {
  driver = passwd-file
  passwd_file_path = @REFS@/users
}
auth_cache_size = 1M
`},
	{"compress", "2.3", `mail_plugins = $mail_plugins zlib acl
plugin {
  zlib_save = gz
  zlib_save_level = 6
  acl = vfile
}
`},
	{"compress", "2.4", `mail_plugins {
  mail_compress = yes
  acl = yes
}
mail_compress_write_method = gz
acl_driver = vfile
`},
}

// mutation spoils a text. Those that leave nothing to guess say what has to come
// of it.
type mutation struct {
	name, want string
	spoil      func(r *rand.Rand, text string) string
}

var (
	assigned = regexp.MustCompile(`(?m)^(\s*[a-z_]+ = )(.*)$`)
	key      = regexp.MustCompile(`(?m)^\s*([a-z_]{5,})\b`)
	number   = regexp.MustCompile(`\b\d+`)
)

var spoilers = []mutation{
	{"cut", either, func(r *rand.Rand, s string) string { return s[:1+r.IntN(len(s)-1)] }},
	{"doubled", either, func(_ *rand.Rand, s string) string { return s + s }},
	{"line-doubled", either, func(r *rand.Rand, s string) string {
		return lines(s, func(l []string) []string {
			i := r.IntN(len(l))
			return append(l[:i+1:i+1], l[i:]...)
		})
	}},
	{"line-lost", either, func(r *rand.Rand, s string) string {
		return lines(s, func(l []string) []string {
			i := r.IntN(len(l))
			return append(l[:i:i], l[i+1:]...)
		})
	}},
	{"lines-swapped", either, func(r *rand.Rand, s string) string {
		return lines(s, func(l []string) []string {
			i, j := r.IntN(len(l)), r.IntN(len(l))
			l[i], l[j] = l[j], l[i]
			return l
		})
	}},
	{"in-a-service", either, func(_ *rand.Rand, s string) string { return "service imap {\n" + s + "}\n" }},
	{"in-a-protocol", either, func(_ *rand.Rand, s string) string { return "protocol imap {\n" + s + "}\n" }},
	{"in-a-plugin", either, func(_ *rand.Rand, s string) string { return "plugin {\n" + s + "}\n" }},
	{"unclosed", refused, func(_ *rand.Rand, s string) string { return s + "service imap {\n" }},
	{"closed-twice", refused, func(_ *rand.Rand, s string) string { return s + "}\n" }},
	{"one-line", refused, func(_ *rand.Rand, s string) string {
		return strings.ReplaceAll(s+"service imap {\n}\n", "{\n", "{ ")
	}},
	{"huge", either, func(r *rand.Rand, s string) string { return assign(r, s, "99999999999") }},
	{"zero", either, func(r *rand.Rand, s string) string { return assign(r, s, "0") }},
	{"negative", either, func(r *rand.Rand, s string) string { return assign(r, s, "-1") }},
	{"no-value", either, func(r *rand.Rand, s string) string { return assign(r, s, "") }},
	{"numbers-huge", either, func(_ *rand.Rand, s string) string { return number.ReplaceAllString(s, "4294967295") }},
	{"binary", refused, func(r *rand.Rand, s string) string {
		i := r.IntN(len(s))
		return s[:i] + "\x00\x01\xff\xfe\x00" + s[i:]
	}},
	{"bit-flipped", either, func(r *rand.Rand, s string) string {
		b := []byte(s)
		b[r.IntN(len(b))] ^= 1 << r.IntN(7)
		return string(b)
	}},
	{"byte-order-mark", refused, func(_ *rand.Rand, s string) string { return "\ufeff" + s }},
	{"utf16", refused, func(_ *rand.Rand, s string) string {
		b := []byte{0xff, 0xfe}
		for _, u := range utf16.Encode([]rune(s)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return string(b)
	}},
	{"crlf", harmless, func(_ *rand.Rand, s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }},
	{"cr", either, func(_ *rand.Rand, s string) string { return strings.ReplaceAll(s, "\n", "\r") }},
	{"misspelt", either, func(r *rand.Rand, s string) string {
		found := key.FindAllStringSubmatchIndex(s, -1)
		at := found[r.IntN(len(found))][2] + 1
		return s[:at] + s[at+1:at+2] + s[at:at+1] + s[at+2:]
	}},
	{"upper-case", either, func(_ *rand.Rand, s string) string { return strings.ToUpper(s) }},
	{"wrong-path", either, func(_ *rand.Rand, s string) string {
		return strings.ReplaceAll(strings.ReplaceAll(s, "@REFS@", "/no/such"), "/tmp/", "/no/such/")
	}},
	{"open-quote", either, func(r *rand.Rand, s string) string { return assign(r, s, `"open`) }},
	{"no-break-space", either, func(_ *rand.Rand, s string) string { return strings.Replace(s, " = ", "\u00a0=\u00a0", 1) }},
	{"shuffled", either, func(r *rand.Rand, s string) string {
		return lines(s, func(l []string) []string {
			r.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] })
			return l
		})
	}},
}

// seed makes another corpus when it is changed.
const seed = 3

// mutations spoils each good override in half of the ways, its neighbour in the
// other half, and gives every dialect those of the other.
func mutations() []override {
	var all []override
	for i, g := range good {
		for j, m := range spoilers {
			if (i+j)%2 != 0 {
				continue
			}
			o := override{name: fmt.Sprintf("mutated-%s%s-%s.conf", g.name, g.dialect, m.name), want: map[string]string{}}
			o.text = m.spoil(source(o.name), g.text)
			for _, d := range dialects {
				o.want[d] = m.want
				if g.dialect != "" && g.dialect != d && m.want == harmless {
					o.want[d] = either
				}
			}
			all = append(all, o)
		}
	}
	return all
}

// source is a source of chance that is the same in every run.
func source(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

func lines(s string, change func([]string) []string) string {
	return strings.Join(change(strings.SplitAfter(strings.TrimSuffix(s, "\n"), "\n")), "") + "\n"
}

// assign gives another value to one of the settings.
func assign(r *rand.Rand, s, value string) string {
	found := assigned.FindAllStringSubmatchIndex(s, -1)
	m := found[r.IntN(len(found))]
	return s[:m[4]] + value + s[m[5]:]
}
