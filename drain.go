package renga

import (
	"net/url"
	"slices"
	"time"
)

// MaxDrains is how many drains an app may have.
const MaxDrains = 5

// Drain is where an app's log is sent besides.
type Drain struct {
	ID  string // a UUID
	App AppID
	// URL may hold a password: it is for the app's owner and for the receiver.
	URL string
	// Token names the drain to its receiver.
	Token     string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// String names the drain without its URL.
func (d Drain) String() string { return d.Token }

// The schemes of drains: syslog over TCP, over TLS, over UDP; HTTP.
const (
	DrainTCP   = "syslog"
	DrainTLS   = "syslog+tls"
	DrainUDP   = "syslog+udp"
	DrainHTTP  = "http"
	DrainHTTPS = "https"
)

// ValidateDrainURL tells whether lines can be sent there. The error does not
// repeat the URL.
func ValidateDrainURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || len(text) > 2000:
		return Errorf(Invalid, "Url is not that of a drain; it is like syslog+tls://logs.example.com:6514 or https://user:password@example.com/logs.")
	case !slices.Contains([]string{DrainTCP, DrainTLS, DrainUDP, DrainHTTP, DrainHTTPS}, u.Scheme):
		return Errorf(Invalid, "Url must begin with syslog://, syslog+tls://, syslog+udp://, http:// or https://.")
	case u.Scheme[:4] == DrainTCP[:4] && u.Port() == "":
		return Errorf(Invalid, "Url of a syslog drain must name a port, such as syslog://logs.example.com:514.")
	}
	return nil
}
