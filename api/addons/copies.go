package addons

import (
	"net/http"
	"net/url"
	"strings"

	"renga"
	"renga/addons/catalogue"
	"renga/api/wire"
)

// copyTransfer has a database's data replace those of the path's. Both are named by the
// URLs that config vars have, as the CLI sends them; it has asked for confirmation already.
// A URL only names: whoever asks must have the right to read the first, and to operate the
// second, today.
func (s *Server) copyTransfer(w http.ResponseWriter, r *http.Request) error {
	to, v, err := s.databaseNamed(r, postgres, renga.MayOperate)
	if err != nil {
		return err
	}
	var body struct {
		From     string `json:"from_url"`
		To       string `json:"to_url"`
		FromName string `json:"from_name"` // names of attachments, which the CLI prints
		ToName   string `json:"to_name"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if !isAt(to, body.To) {
		return wire.Invalid("Data are copied into databases of this platform only. To copy to another one, use pg_dump and " +
			"pg_restore with the config var of the source.")
	}
	from, err := s.databaseAt(r, body.From)
	if err != nil {
		return err
	}
	started, err := s.parts.Copier.Copy(r.Context(), from, to, wire.Caller(r).ID)
	if err != nil {
		return err
	}
	s.Audit(r, "copy asked for", v.apps[to.App].Name, "add-on", to.Name, "of", from.Name, "backup", backupName(started))
	return wire.Answer(w, http.StatusCreated, newTransfer(r, started))
}

// isAt tells whether a URL is that of an add-on's database, whichever credential it has.
func isAt(a renga.AddOn, address string) bool {
	at, err := url.Parse(address)
	return err == nil && a.Service == postgres && strings.TrimPrefix(at.Path, "/") == catalogue.DatabaseName(a.ID) &&
		(strings.EqualFold(at.Hostname(), a.Host) || sharedServer(at))
}

// databaseAt is the add-on that a URL names, if the caller may read the secrets of an app
// that has it.
func (s *Server) databaseAt(r *http.Request, address string) (renga.AddOn, error) {
	all, v, err := s.seenOfAll(r)
	if err != nil {
		return renga.AddOn{}, err
	}
	for _, a := range all {
		if isAt(a, address) && v.reads(r, a) {
			return a, nil
		}
	}
	return renga.AddOn{}, wire.Invalid("Only databases of this platform can be copied, and only for those who may read their config " +
		"vars. To bring in another one, use pg_dump and pg_restore with the config var of the target.")
}

// reads tells whether the caller may read config vars in which a credential of the add-on
// is.
func (v view) reads(r *http.Request, a renga.AddOn) bool {
	may := func(app renga.AppID) bool {
		x, there := v.apps[app]
		return there && !x.Deleting && x.Permit(wire.Caller(r).ID, renga.MayDeploy, renga.MayOperate) == nil
	}
	for _, at := range a.Attachments {
		if !at.Leaving && may(at.App) {
			return true
		}
	}
	return may(a.App)
}
