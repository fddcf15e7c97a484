package settings

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
)

// Key is one that mail is encrypted with, as PEM.
type Key struct{ Private, Public string }

// Keys are private keys with their public halves; the first encrypts.
type Keys []Key

// UnmarshalText accepts PEM of elliptic curves and of RSA, as PKCS #8 or as openssl
// ecparam and genrsa write it.
func (k *Keys) UnmarshalText(text []byte) error {
	*k = nil
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		key, ok := parseKey(block.Bytes)
		if block.Type == "EC PARAMETERS" {
			continue
		} else if !ok {
			return errors.New("holds something else than private keys of an elliptic curve (P-256, P-384, P-521) or of RSA, without a password")
		}
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return errors.New("holds a key that cannot be written")
		}
		public, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			return errors.New("holds a key that cannot be written")
		}
		*k = append(*k, Key{
			string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
			string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		})
	}
	if len(*k) == 0 && strings.TrimSpace(string(text)) != "" {
		return errors.New("is no private key as PEM")
	}
	return nil
}

func parseKey(der []byte) (key crypto.Signer, ok bool) {
	if parsed, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		switch parsed := parsed.(type) {
		case *ecdsa.PrivateKey:
			return parsed, true
		case *rsa.PrivateKey:
			return parsed, true
		}
	}
	if parsed, err := x509.ParseECPrivateKey(der); err == nil {
		return parsed, true
	}
	parsed, err := x509.ParsePKCS1PrivateKey(der)
	return parsed, err == nil
}
