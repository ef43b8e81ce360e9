package imports

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// taken is the answer to another registry's notice, which its people find in its list
// of deliveries.
type taken struct {
	Decision string   `json:"decision"`
	Imports  []string `json:"imports"`
	Reason   *string  `json:"reason"`
}

// takeNotice takes what another registry tells. Whoever does not show the webhook's
// secret is not told whether there is such a webhook.
func (s *Server) takeNotice(w http.ResponseWriter, r *http.Request) error {
	it, err := s.ruleOfNotice(r)
	if err != nil {
		return err
	}
	url := s.ruleURL(it)
	proven, more := s.parts.Importer.Admit(r, nil, it, url)
	if !proven && !more {
		return wire.NotFound("registry webhook")
	}
	body, err := wire.ReadBody(r)
	if err != nil {
		return err
	}
	if more {
		proven, _ = s.parts.Importer.Admit(r, body, it, url)
	}
	if !proven {
		return wire.NotFound("registry webhook")
	}
	got, err := s.parts.Importer.Take(r.Context(), it, r.Header, body)
	if err != nil {
		return err
	}
	if got.Ignored != "" {
		return wire.Answer(w, http.StatusOK, taken{"ignored", []string{}, &got.Ignored})
	}
	answer := taken{Decision: "matched", Imports: []string{}}
	for _, i := range got.Imports {
		answer.Imports = append(answer.Imports, i.ID)
	}
	return wire.Answer(w, http.StatusAccepted, answer)
}

// notice is what a registry told, as JSON.
type notice struct {
	CreatedAt string   `json:"created_at"`
	Decision  string   `json:"decision"`
	Delivery  *string  `json:"delivery"`
	ID        string   `json:"id"`
	Imports   []string `json:"imports"`
	Reason    *string  `json:"reason"`
}

// listNotices lists what came for a registry webhook, those included that were ignored
// or refused.
func (s *Server) listNotices(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	it, err := s.parts.Rules.ImportRule(r.Context(), a.ID, strings.ToLower(mux.Vars(r)["webhook"]))
	if err != nil {
		return wire.OrNotFound(err, "registry webhook")
	}
	all, err := s.parts.Notices.Notices(r.Context(), a.ID)
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	all = slices.DeleteFunc(all, func(n renga.ReceivedNotice) bool { return n.Rule != it.ID })
	return wire.ListAs(w, r, all, showNotices,
		wire.ByTime("created_at", func(n renga.ReceivedNotice) (time.Time, string) { return n.At, n.ID }),
		wire.By("id", func(n renga.ReceivedNotice) string { return n.ID }))
}

func showNotices(page []renga.ReceivedNotice) ([]notice, error) {
	var shown []notice
	for _, n := range page {
		one := notice{CreatedAt: wire.Stamp(n.At), Decision: string(n.Decision), ID: n.ID, Imports: []string{}}
		one.Imports = append(one.Imports, n.Imports...)
		if n.Delivery != "" {
			one.Delivery = &n.Delivery
		}
		if n.Reason != "" {
			one.Reason = &n.Reason
		}
		shown = append(shown, one)
	}
	return shown, nil
}

// ruleOfNotice finds the rule of the path. Whatever is wrong with it gets the same
// answer.
func (s *Server) ruleOfNotice(r *http.Request) (renga.ImportRule, error) {
	v := mux.Vars(r)
	app, id := strings.ToLower(v["owner"]), strings.ToLower(v["webhook"])
	if !wire.IsUUID(app) || !wire.IsUUID(id) {
		return renga.ImportRule{}, wire.NotFound("registry webhook")
	}
	it, err := s.parts.Rules.ImportRule(r.Context(), renga.AppID(app), id)
	if err != nil {
		return it, wire.OrNotFound(err, "registry webhook")
	}
	if it.Source != v["source"] {
		return it, wire.NotFound("registry webhook")
	}
	return it, nil
}
