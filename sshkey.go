package renga

import "time"

// SSHKey is a public key of somebody's.
type SSHKey struct {
	ID          string
	Account     AccountID
	Comment     string
	Fingerprint string // MD5 in hex with colons, as Heroku shows it
	PublicKey   string // the line that ssh-keygen writes
	CreatedAt   time.Time
}
