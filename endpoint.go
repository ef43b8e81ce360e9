package renga

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Endpoint is a certificate of an app's own, which the TLS clients of its
// domains get. Its private key is not here: whoever serves it asks the store.
type Endpoint struct {
	ID   string // a UUID
	App  AppID
	Name string // tokyo-12345
	// CertificateID changes with each new certificate.
	CertificateID string
	Certificate   Certificate
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// MaxEndpoints bounds the certificates of one app.
const MaxEndpoints = 1000

// cities are what endpoints are called after.
var cities = []string{
	"akita", "bergen", "cusco", "dakar", "essen", "fukui", "genoa", "hanoi", "izmir", "jaipur", "kyoto", "lagos",
	"malmo", "nagoya", "osaka", "porto", "quito", "riga", "sendai", "tokyo", "ulm", "varna", "wuhan", "xian", "yonago", "zagreb",
}

// NewEndpointName invents a name for an endpoint, such as tokyo-12345.
func NewEndpointName() string {
	return fmt.Sprintf("%s-%d", cities[rand.IntN(len(cities))], 10_000+rand.IntN(90_000))
}
