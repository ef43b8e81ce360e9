package wire

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"renga"
)

// Person is an account inside another resource.
type Person struct {
	Email string `json:"email"`
	ID    string `json:"id"`
}

// OwnAccount checks that the account of the path is the caller: "~", the id or the
// email. Any other is NotFound.
func OwnAccount(r *http.Request) error {
	who, named := mux.Vars(r)["account"]
	me := Caller(r)
	if !named || who == "~" || who == string(me.ID) || strings.EqualFold(who, me.Email) {
		return nil
	}
	return NotFound("user")
}

// AccountNamed finds an account by its email or id.
func (d *Door) AccountNamed(ctx context.Context, identity string) (renga.Account, error) {
	var a renga.Account
	err := error(NotFound("user"))
	switch {
	case identity == "":
		return a, Invalid("Name a user by email.")
	case IsUUID(identity):
		a, err = d.Accounts.Account(ctx, renga.AccountID(strings.ToLower(identity)))
	case strings.Contains(identity, "@"):
		a, err = d.Accounts.AccountByEmail(ctx, identity)
	}
	return a, OrNotFound(err, "user")
}

// People looks accounts up for one answer, each once.
type People struct {
	accounts Accounts
	domain   string
	mu       sync.Mutex // guards known
	known    map[renga.AccountID]Person
}

// People makes a People.
func (d *Door) People() *People {
	return &People{accounts: d.Accounts, domain: d.Domain, known: map[renga.AccountID]Person{}}
}

// Find gives the person with an id. For an account that does not exist it gives one
// whose email says so.
func (p *People) Find(ctx context.Context, id renga.AccountID) (Person, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if who, ok := p.known[id]; ok {
		return who, nil
	}
	who := Person{Email: "unknown@" + p.domain, ID: uuid.Nil.String()}
	if id == renga.Platform {
		who.Email = "platform@" + p.domain
		return who, nil
	}
	if IsUUID(string(id)) {
		who.ID = string(id)
	}
	a, err := p.accounts.Account(ctx, id)
	switch renga.KindOf(err) {
	case "":
		who.Email = a.Email
	case renga.NotFound:
	default:
		return Person{}, err
	}
	p.known[id] = who
	return who, nil
}
