package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"renga/api/wire/wiretest"
)

// guesser asks from one address after the other.
type guesser struct {
	*fixture
	from func(n int) string
	n    int
}

func newGuesser() *guesser {
	return &guesser{fixture: newSeeded(), from: func(int) string { return "192.0.2.66" }}
}

// ask makes one request with credentials.
func (g *guesser) ask(method, url string, headers map[string]string) int {
	g.n++
	req := httptest.NewRequest(method, url, strings.NewReader("{}"))
	req.RemoteAddr = "[" + g.from(g.n) + "]:4711"
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	g.ServeHTTP(rec, req)
	return rec.Code
}

// guesses asks so often in one way, and counts the answers by status.
func (g *guesser) guesses(n int, way func(guess string) (method, url string, headers map[string]string)) map[int]int {
	statuses := map[int]int{}
	for range n {
		statuses[g.ask(way(fmt.Sprintf("%064x", g.n)))]++
	}
	return statuses
}

func byBearer(guess string) (method, url string, headers map[string]string) {
	return "GET", "/account", wiretest.Bearer(guess)
}

// TestWrongTokensAreSlowedDown, by whichever detour they come, as those at the registry.
func TestWrongTokensAreSlowedDown(t *testing.T) {
	for name, way := range map[string]func(guess string) (method, url string, headers map[string]string){
		"as a bearer's": byBearer,
		"for changing paths": func(guess string) (string, string, map[string]string) {
			return "DELETE", "/apps/" + guess[50:], wiretest.Bearer(guess)
		},
		"as a password of nobody": func(guess string) (string, string, map[string]string) {
			return "GET", "/apps", wiretest.Header("Authorization", wiretest.Basic("_", guess))
		},
		"as a password of changing accounts": func(guess string) (string, string, map[string]string) {
			return "GET", "/apps", wiretest.Header("Authorization", wiretest.Basic(guess+"@example.com", guess))
		},
		"in the header of our own": func(guess string) (string, string, map[string]string) {
			return "GET", "/apps", wiretest.Header("X-Renga-Token", guess)
		},
		"behind another's address that it makes up": func(guess string) (string, string, map[string]string) {
			headers := map[string]string{"X-Forwarded-For": "198.51.100." + guess[63:], "Forwarded": "for=198.51.100.1"}
			maps.Copy(headers, wiretest.Bearer(guess))
			return "GET", "/apps", headers
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuesser()
			if got := g.guesses(300, way); got[http.StatusUnauthorized] != 20 || got[http.StatusTooManyRequests] != 280 {
				t.Errorf("300 guesses are answered %v, want 20 times 401", got)
			}
			if got := g.ask("GET", "/account", wiretest.Bearer("ada-token")); got != http.StatusTooManyRequests {
				t.Errorf("the right guess at the wrong time gets %d", got)
			}
			g.from = func(int) string { return "192.0.2.67" }
			if got := g.ask("GET", "/account", wiretest.Bearer("ada-token")); got != http.StatusOK {
				t.Errorf("somebody elsewhere gets %d", got)
			}
		})
	}
}

// TestTwoTokensInOneRequestAreTwoGuesses, and a password as long as a token is one.
func TestTwoTokensInOneRequestAreTwoGuesses(t *testing.T) {
	for name, way := range map[string]func(guess string) (method, url string, headers map[string]string){
		"two headers": func(guess string) (string, string, map[string]string) {
			return "GET", "/apps", map[string]string{"Authorization": "Bearer a" + guess, "X-Renga-Token": "b" + guess}
		},
		"where passwords are good": func(guess string) (string, string, map[string]string) {
			return "POST", "/oauth/authorizations", map[string]string{
				"Authorization": wiretest.Basic(guess+"@example.com", guess), "X-Renga-Token": guess,
			}
		},
	} {
		g := newGuesser()
		if got := g.guesses(100, way); got[http.StatusTooManyRequests] < 80 {
			t.Errorf("%s: 100 guesses are answered %v", name, got)
		}
	}
}

// TestOneOfASlash64IsAll of its addresses.
func TestOneOfASlash64IsAll(t *testing.T) {
	g := newGuesser()
	g.from = func(n int) string { return fmt.Sprintf("2001:db8::%x", n) }
	if got := g.guesses(300, byBearer); got[http.StatusUnauthorized] != 20 {
		t.Errorf("300 guesses from one /64 are answered %v, want 20 times 401", got)
	}
}

// TestAGuesserSlowsNoNeighbourDown who has shown a good token from there before, and
// waits for a while only.
func TestAGuesserSlowsNoNeighbourDown(t *testing.T) {
	g := newGuesser()
	neighbour := func() int { return g.ask("GET", "/account", wiretest.Bearer("ada-token")) }
	if got := neighbour(); got != http.StatusOK {
		t.Fatal(got)
	}
	g.guesses(100, byBearer)
	if got := neighbour(); got != http.StatusOK {
		t.Errorf("the neighbour gets %d", got)
	}
	if got := g.ask("GET", "/account", wiretest.AsBob); got != http.StatusTooManyRequests {
		t.Errorf("whoever is new there gets %d", got)
	}
	g.Late += 2 * time.Minute
	if got := g.ask("GET", "/account", wiretest.AsBob); got != http.StatusOK {
		t.Errorf("after the pause they get %d", got)
	}
}

// TestLoginsWithPasswordsAreNoGuessesOfTokens, or an office could log in twenty times.
func TestLoginsWithPasswordsAreNoGuessesOfTokens(t *testing.T) {
	g := newGuesser()
	const password = "correct horse"
	for n := range 30 {
		email := fmt.Sprintf("clerk-%d@example.com", n)
		if _, _, err := g.People.Create(t.Context(), email, password); err != nil {
			t.Fatal(err)
		}
		login := wiretest.Header("Authorization", wiretest.Basic(email, password))
		if got := g.ask("POST", "/oauth/authorizations", login); got != http.StatusCreated {
			t.Fatalf("login %d gets %d", n, got)
		}
	}
	if got := g.guesses(300, byBearer); got[http.StatusUnauthorized] != 20 {
		t.Errorf("after 30 logins 300 guesses are answered %v, want 20 times 401", got)
	}
}
