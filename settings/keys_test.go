package settings_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"pidgeon/settings"
)

func TestMailCryptKey(t *testing.T) {
	block := func(kind string, der []byte, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	sec1, err := x509.MarshalECPrivateKey(ec)
	old := "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + block("EC PRIVATE KEY", sec1, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(ec)
	modern := block("PRIVATE KEY", pkcs8, err)
	pkcs1 := block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(other), nil)
	pkcs8, err = x509.MarshalPKCS8PrivateKey(edwards)
	unusable := block("PRIVATE KEY", pkcs8, err)
	public, err := x509.MarshalPKIXPublicKey(&ec.PublicKey)
	half := block("PUBLIC KEY", public, err)

	for name, tt := range map[string]struct {
		value string
		keys  int
	}{
		"PKCS #8": {modern, 1}, "ecparam": {old, 1}, "two": {modern + pkcs1, 2},
		"no PEM": {"secret", 0}, "Ed25519": {unusable, 0}, "public": {half, 0}, "one of them no key": {modern + half, 0},
	} {
		s, err := settings.Load([]string{"MAIL_CRYPT_KEY=" + tt.value})
		if (err != nil) != (tt.keys == 0) || err == nil && len(s.MailCryptKey) != tt.keys {
			t.Errorf("%s: %d keys, %v", name, len(s.MailCryptKey), err)
		}
		if err == nil && s.MailCryptKey[0] != (settings.Key{Private: modern, Public: half}) {
			t.Errorf("%s: %+v", name, s.MailCryptKey[0])
		}
		if err != nil && strings.Contains(err.Error(), strings.Split(tt.value, "\n")[1%(1+strings.Count(tt.value, "\n"))]) {
			t.Errorf("%s: the error shows the value", name)
		}
	}
}
