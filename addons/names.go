package addons

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"strings"
	"time"

	"renga"
)

// newSecret is a password of 260 random bits, of letters and digits only, so that
// it means nothing in a URL, in SQL or to a shell.
func newSecret() renga.Secret { return renga.Secret(strings.ToLower(rand.Text() + rand.Text())) }

// newUser is a user's name that every service takes.
func newUser() string { return "u" + strings.ToLower(rand.Text()[:14]) }

// newCredential is one that the service does not know yet.
func newCredential(name string, version int, now time.Time) renga.Credential {
	return renga.Credential{
		Name: name, Version: version, User: newUser(), Password: newSecret(), State: renga.CredentialNew,
		CreatedAt: now.UTC(),
	}
}

// adjectives are the middle of add-ons' names, as on Heroku.
var adjectives = strings.Fields("acute angular asymmetrical clean clear concave concentric convex crystalline cubed " +
	"curly curved cylindrical deep defined dimensional encircled flat flexible globular graceful horizontal " +
	"infinite rectangular regular rigid round rugged shallow shaped silhouetted sinuous solid spherical " +
	"symmetrical tapered tetrahedral transparent triangular trapezoidal vertical")

// colours are the end of further attachments' names, as on Heroku.
var colours = strings.Fields("AMBER AQUA BLACK BLUE BRONZE BROWN CHARCOAL COBALT COPPER CRIMSON CYAN GOLD GRAY GREEN " +
	"IVORY JADE MAROON MAUVE NAVY OLIVE ONYX ORANGE PINK PUCE PURPLE RED ROSE SILVER TEAL VIOLET WHITE YELLOW")

// newName is for instance postgresql-curved-12345.
func newName(prefix string) string {
	return fmt.Sprintf("%s-%s-%05d", prefix, adjectives[random(len(adjectives))], random(100_000))
}

func random(n int) int {
	k, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return int(k.Int64())
}

// freeName is the name of an app's next attachment of a service: its own, or its
// alternative with a colour.
func freeName(own, alternative string, taken func(string) bool) (string, error) {
	if !taken(own) {
		return own, nil
	}
	start := random(len(colours))
	for i := range colours {
		if name := alternative + "_" + colours[(start+i)%len(colours)]; !taken(name) {
			return name, nil
		}
	}
	return "", renga.Errorf(renga.Invalid, "The app has an attachment of each colour; name this one yourself, with --as.")
}
