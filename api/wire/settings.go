package wire

import (
	"fmt"
	"log/slog"
	"time"
)

// Settings are the platform's as far as every family of resources knows them.
type Settings struct {
	// Domain is the platform's, without port. Apps answer below it.
	Domain string
	// Scheme and Port complete apps' URLs. An empty Port is left out.
	Scheme, Port string
	// StreamKey signs the URLs of streams, which are secrets by themselves.
	StreamKey []byte
	Log       *slog.Logger
	Now       func() time.Time // the clock; nil for the real one
	// LookAgain is how often is asked whether the right to a stream is there
	// still; 0 for every five seconds.
	LookAgain time.Duration
	// WarnOfAll warns clients of the fields too that a route does without. Tests
	// see by it that it does.
	WarnOfAll bool
}

// WebURL is where an app answers.
func (s Settings) WebURL(app string) string { return s.Below(app) + "/" }

// Below is the address of a name below the platform's domain.
func (s Settings) Below(name string) string {
	at := fmt.Sprintf("%s://%s.%s", s.Scheme, name, s.Domain)
	if s.Port != "" {
		at += ":" + s.Port
	}
	return at
}
