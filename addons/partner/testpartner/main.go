// Program testpartner provides an add-on as Heroku's documentation tells partners
// to, with nothing of Renga's: its add-on is a password. Tests run it as a program
// of its own, and kill it. What it has promised it keeps in a file.
//
// Its secrets and the URL of the platform's API come from the environment, as those
// of partners' programs do.
package main

import (
	"crypto/sha1" // Heroku's protocol has it
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

func main() {
	p := &partner{
		slug: os.Getenv("ADDON_SLUG"), password: os.Getenv("ADDON_PASSWORD"), salt: os.Getenv("ADDON_SSO_SALT"),
		clientSecret: os.Getenv("ADDON_CLIENT_SECRET"), api: os.Getenv("HEROKU_API_URL"), file: os.Getenv("ADDON_STATE"),
	}
	if err := p.load(); err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", os.Getenv("ADDON_LISTEN"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr()) // for the test
	server := &http.Server{Handler: p.routes(), ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.Serve(l))
}

func (p *partner) routes() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("POST /heroku/resources", p.heroku(p.provision))
	m.HandleFunc("PUT /heroku/resources/{id}", p.heroku(p.changePlan))
	m.HandleFunc("DELETE /heroku/resources/{id}", p.heroku(p.deprovision))
	m.HandleFunc("POST /sso/login", p.login)
	m.HandleFunc("POST /webhooks/{id}", p.webhook)
	m.HandleFunc("POST /control/behave", p.behave)
	m.HandleFunc("POST /control/rotate/{id}", p.rotate)
	m.HandleFunc("POST /control/subscribe/{id}", p.subscribe)
	m.HandleFunc("POST /control/finish/{id}", p.finishNow)
	m.HandleFunc("GET /control/state", p.showState)
	return m
}

// heroku lets only the platform in, and misbehaves as it was told.
func (p *partner) heroku(do func(w http.ResponseWriter, r *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, password, ok := r.BasicAuth()
		if !ok || user != p.slug || subtle.ConstantTimeCompare([]byte(password), []byte(p.password)) != 1 {
			say(w, http.StatusUnauthorized, "Who are you?")
			return
		}
		if r.Header.Get("Accept") != "application/vnd.heroku-addons+json; version=3" {
			say(w, http.StatusNotAcceptable, "Version 3 is spoken here.")
			return
		}
		b := p.next(r.Method)
		if b.Late { // it does the work, and its answer never comes
			do(discard{http.Header{}}, r)
			<-r.Context().Done()
			return
		}
		if b.Status != 0 {
			for name, value := range b.Header {
				w.Header().Set(name, value)
			}
			w.WriteHeader(b.Status)
			fmt.Fprint(w, b.Body)
			return
		}
		do(w, r)
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

func say(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]any{"message": message})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		log.Print(err)
	}
}

// login is where people come in from the platform.
func (p *partner) login(w http.ResponseWriter, r *http.Request) {
	id, at := r.FormValue("resource_id"), r.FormValue("timestamp")
	old := sha1.Sum([]byte(id + ":" + p.salt + ":" + at))
	scoped := sha256.Sum256([]byte(id + ":" + p.salt + ":" + at + ":" + r.FormValue("user_id") + ":" + r.FormValue("email")))
	unix, err := strconv.ParseInt(at, 10, 64)
	switch {
	case r.FormValue("resource_token") != hex.EncodeToString(old[:]),
		r.FormValue("user_scoped_resource_token") != hex.EncodeToString(scoped[:]):
		say(w, http.StatusForbidden, "The token is wrong.")
	case err != nil || time.Since(time.Unix(unix, 0)).Abs() > 5*time.Minute:
		say(w, http.StatusForbidden, "The token is too old.")
	case p.resource(id) == nil:
		say(w, http.StatusNotFound, "There is no such add-on.")
	default:
		answer(w, http.StatusOK, map[string]any{"welcome": r.FormValue("email"), "app": r.FormValue("app")})
	}
}
