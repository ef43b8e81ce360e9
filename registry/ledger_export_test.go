package registry

import "renga"

// LedgerFiles is the disk as the ledger writes to it.
type LedgerFiles = ledgerFiles

// LedgerDisk is the real one.
var LedgerDisk LedgerFiles = ledgerOS{}

// SetLedgerFiles puts another disk under l.
func SetLedgerFiles(l *Ledger, files LedgerFiles) { l.files = files }

// MarshalLedgerDocument and the others let fuzz tests at the parsers.
func MarshalLedgerDocument(r renga.Release) ([]byte, error)     { return marshalLedgerDocument(r) }
func ParseLedgerDocument(content []byte) (renga.Release, error) { return parseLedgerDocument(content) }

// RewriteLedgerIndex parses an index and writes it again.
func RewriteLedgerIndex(content []byte) ([]byte, error) {
	x, err := parseLedgerIndex(content)
	if err != nil {
		return nil, err
	}
	return x.marshal()
}
