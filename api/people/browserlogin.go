package people

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// The official CLI logs in with a browser: it begins a login here, opens its page
// in a browser, and waits, with a secret of its own, until somebody has logged in
// on the page.

// BrowserLogins keeps logins that a client begins and a browser ends.
type BrowserLogins interface {
	// Begin is TooMany if an address begins too many logins.
	Begin(ctx context.Context, description, from string) (l renga.PendingLogin, secret string, err error)
	// Waiting and Finish are NotFound after the end of the login.
	Waiting(ctx context.Context, id string) (renga.PendingLogin, error)
	// Finish is Unauthorized if email and password do not match.
	Finish(ctx context.Context, id, email, password, from string) (renga.Bearer, error)
	// Token gives the token to the client that began the login; empty before
	// somebody has logged in.
	Token(ctx context.Context, id, secret string) (string, error)
}

const (
	browserPath, waitPath = "/auth/browser/", "/auth/cli/"

	// loginPoll is how often awaitLogin looks for the end of a login.
	loginPoll = 500 * time.Millisecond
	// keepAlive is the time between two spaces for a waiting client, which gives up
	// after a minute without any.
	keepAlive = 45 * time.Second
)

func (s *Server) browserLoginRoutes() []wire.Route {
	return []wire.Route{
		wire.Post("/auth", wire.Open, s.beginLogin),
		wire.Get(waitPath+"{login}", wire.Open, s.awaitLogin),
		wire.Get(browserPath+"{login}", wire.Open, s.showLogin),
		wire.Post(browserPath+"{login}", wire.Open, s.finishLogin),
	}
}

// browserLogin is a login that has begun, as JSON. URLs are paths.
type browserLogin struct {
	BrowserURL string `json:"browser_url"`
	CLIURL     string `json:"cli_url"`
	Token      string `json:"token"`
}

func (s *Server) beginLogin(w http.ResponseWriter, r *http.Request) error {
	body := struct {
		Description string `json:"description"`
	}{"A program without a name"}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	l, secret, err := s.parts.Browsers.Begin(r.Context(), body.Description, wire.ClientAddress(r))
	if err != nil {
		return err
	}
	return wire.Answer(
		w, http.StatusCreated, browserLogin{BrowserURL: browserPath + l.ID, CLIURL: waitPath + l.ID, Token: secret},
	)
}

// loginResult is the answer to the waiting client, as JSON.
type loginResult struct {
	AccessToken string `json:"access_token,omitempty"`
	Error       string `json:"error,omitempty"`
}

// awaitLogin answers once somebody has logged in, or can no longer do so. Until
// then it sends spaces before the answer, so that the client goes on waiting. When
// the server ends, the client asks again.
func (s *Server) awaitLogin(w http.ResponseWriter, r *http.Request) error {
	secret, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	look, speak := time.NewTicker(loginPoll), time.NewTicker(keepAlive)
	defer look.Stop()
	defer speak.Stop()
	wait := &slowAnswer{w: w}
	for {
		token, err := s.parts.Browsers.Token(r.Context(), mux.Vars(r)["login"], secret)
		switch {
		case renga.KindOf(err) == renga.NotFound:
			return wait.end(loginResult{Error: renga.MessageOf(err, "")})
		case err != nil:
			return wait.fail(err)
		case token != "":
			return wait.end(loginResult{AccessToken: token})
		}
		select {
		case <-look.C:
		case <-speak.C:
			wait.sendSpace()
		case <-s.Ending():
			return wait.fail(renga.Errorf(renga.Unavailable, "The platform is being restarted; ask again."))
		case <-r.Context().Done():
			return wait.fail(fmt.Errorf("wait for a login: %w", r.Context().Err()))
		}
	}
}

// slowAnswer is an answer whose client waits for it.
type slowAnswer struct {
	w     http.ResponseWriter
	began bool
}

// sendSpace sends a space, which may stand before JSON.
func (p *slowAnswer) sendSpace() {
	if !p.began {
		p.began = true
		p.w.Header().Set("Content-Type", "application/json; charset=utf-8")
		p.w.Header().Set("Cache-Control", "private, no-store")
	}
	_, _ = p.w.Write([]byte(" "))               // the request's context ends when the client has left
	_ = http.NewResponseController(p.w).Flush() // the same
}

func (p *slowAnswer) end(result loginResult) error { return wire.Answer(p.w, http.StatusOK, result) }

// fail returns err if nothing has been sent. Later it breaks the connection,
// because the client would take half an answer for a whole one.
func (p *slowAnswer) fail(err error) error {
	if p.began {
		panic(http.ErrAbortHandler)
	}
	return err
}

//go:embed pages/login.html
var pages embed.FS

var loginPage = template.Must(template.ParseFS(pages, "pages/login.html"))

// loginView is the data of the page.
type loginView struct {
	Heading, Text string
	Alert, Form   bool
	Client, From  string
	Email         string
}

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request) error {
	l, err := s.parts.Browsers.Waiting(r.Context(), mux.Vars(r)["login"])
	if err != nil {
		return s.showLoginError(w, r, l, err)
	}
	return showPage(w, http.StatusOK, formOf(l))
}

func formOf(l renga.PendingLogin) loginView {
	return loginView{
		Heading: "Log in to Renga", Text: "A program wants to act for you.", Form: true, Client: l.Description,
		From: l.From,
	}
}

// finishLogin reads the form of the page. Forms of other sites are refused, because
// browsers say where a form comes from.
func (s *Server) finishLogin(w http.ResponseWriter, r *http.Request) error {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return renga.Errorf(renga.Forbidden, "This form came from another site.")
	}
	id := mux.Vars(r)["login"]
	l, err := s.parts.Browsers.Waiting(r.Context(), id)
	if err != nil {
		return s.showLoginError(w, r, l, err)
	}
	bearer, err := s.parts.Browsers.Finish(
		r.Context(), id, r.PostFormValue("email"), r.PostFormValue("password"), wire.ClientAddress(r),
	)
	if err != nil {
		return s.showLoginError(w, r, l, err)
	}
	wire.InfoOf(r).Bearer = bearer
	s.Audit(
		r, "authorization created", "", "authorization", bearer.Authorization.ID, "scope",
		bearer.Authorization.Scopes, "for", l.From,
	)
	return showPage(
		w, http.StatusOK,
		loginView{Heading: "You are logged in", Text: "Close this page and go back to the program that you came from."},
	)
}

// showLoginError shows the form again if another try can succeed.
func (s *Server) showLoginError(w http.ResponseWriter, r *http.Request, l renga.PendingLogin, err error) error {
	status, _ := wire.StatusOf(renga.KindOf(err))
	view := loginView{
		Heading: "This login is over", Text: "Start it again in the program that you came from.", Alert: true,
	}
	switch renga.KindOf(err) {
	case renga.NotFound:
	case renga.Unauthorized, renga.TooMany, renga.Unavailable:
		view = formOf(l)
		view.Text, view.Alert, view.Email = renga.MessageOf(err, ""), true, r.PostFormValue("email")
	default:
		return err
	}
	return showPage(w, status, view)
}

// showPage sends a page that cannot load anything and cannot be framed.
func showPage(w http.ResponseWriter, status int, view loginView) error {
	var page bytes.Buffer
	if err := loginPage.Execute(&page, view); err != nil {
		return fmt.Errorf("show the login page: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "private, no-store")
	h.Set(
		"Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
	)
	h.Set("Referrer-Policy", "same-origin") // with no-referrer browsers would not say where the form comes from
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // a browser that has left needs no answer
	return nil
}
