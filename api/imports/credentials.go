package imports

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

func (s *Server) credentialRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/registry-credentials", wire.ReadingSecrets, s.listCredentials),
		wire.Put("/apps/{app}/registry-credentials/{host}", wire.SettingSecrets, s.setCredentials),
		wire.Delete("/apps/{app}/registry-credentials/{host}", wire.SettingSecrets, s.removeCredentials),
	}
}

// credentials are a login to a registry as JSON. Nobody is shown the password.
type credentials struct {
	Host      string `json:"host"`
	Username  string `json:"username"`
	UpdatedAt string `json:"updated_at"`
}

func newCredentials(l renga.SourceLogin) credentials {
	return credentials{l.Host, l.Username, wire.Stamp(l.UpdatedAt)}
}

func (s *Server) listCredentials(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	all, err := s.parts.Credentials.SourceLogins(r.Context(), a.ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	var shown []credentials
	for _, l := range all {
		shown = append(shown, newCredentials(l))
	}
	return wire.List(w, r, shown, wire.By("host", func(c credentials) string { return c.Host }))
}

const (
	maxUsername = 256
	maxPassword = 16 << 10 // some registries have long tokens
)

func (s *Server) setCredentials(w http.ResponseWriter, r *http.Request) error {
	a, host, err := s.credentialsOf(r)
	if err != nil {
		return err
	}
	var body struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	control := func(c rune) bool { return c < ' ' || c == 0x7f }
	switch {
	case body.Password == "" || len(body.Password) > maxPassword || strings.ContainsFunc(body.Password, control):
		return wire.Invalid("Give a password or token of up to %d bytes, without line breaks.", maxPassword)
	case len(body.Username) > maxUsername || strings.ContainsFunc(body.Username, control) || strings.Contains(body.Username, ":"):
		return wire.Invalid("Give a username of up to %d bytes, without colons and line breaks.", maxUsername)
	}
	l := renga.SourceLogin{Host: host, Username: body.Username, Password: renga.Secret(body.Password), UpdatedAt: s.Now()}
	if err := s.parts.Credentials.SetSourceLogin(r.Context(), a.ID, l); err != nil {
		return wire.OrNotFound(err, "app")
	}
	s.Audit(r, "registry credentials set", a.Name, "host", host)
	return wire.Answer(w, http.StatusOK, newCredentials(l))
}

func (s *Server) removeCredentials(w http.ResponseWriter, r *http.Request) error {
	a, host, err := s.credentialsOf(r)
	if err != nil {
		return err
	}
	if err := s.parts.Credentials.RemoveSourceLogin(r.Context(), a.ID, host); err != nil {
		return wire.OrNotFound(err, "registry credentials")
	}
	s.Audit(r, "registry credentials removed", a.Name, "host", host)
	return wire.Answer(w, http.StatusOK, wire.Empty{})
}

// credentialsOf gives the app and the registry's host of the path.
func (s *Server) credentialsOf(r *http.Request) (renga.App, string, error) {
	a, err := s.AppOf(r)
	if err != nil {
		return a, "", err
	}
	host := renga.NormalHost(mux.Vars(r)["host"])
	if !renga.ValidSourceHost(host) {
		return a, "", wire.Invalid("%q is no registry's host; they are like ghcr.io or registry.example:5000.", wire.Clip(host))
	}
	return a, host, nil
}
