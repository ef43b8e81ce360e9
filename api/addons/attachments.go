package addons

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

func (s *Server) attachmentRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/addon-attachments", wire.Reading, s.listAttachments),
		wire.Get("/addon-attachments/{attachment}", wire.Reading, s.attachmentInfo),
		wire.Get("/addons/{addon}/addon-attachments", wire.Reading, s.listAttachmentsOfAddOn),
		wire.Get("/apps/{app}/addon-attachments", wire.Looking, s.listAttachmentsOfApp),
		wire.Get("/apps/{app}/addon-attachments/{attachment}", wire.Looking, s.attachmentOfAppInfo),
		// It gives credentials to the dynos of an app.
		wire.Post("/addon-attachments", wire.OnToken(renga.ScopeWriteProtected), s.attach),
		wire.Delete("/addon-attachments/{attachment}", wire.Writing, s.detach),
	}
}

// attached is an attachment with its add-on.
type attached struct {
	renga.Attachment
	of renga.AddOn
}

// attachmentsIn gives those attachments of some add-ons that the caller may see.
func (v view) attachmentsIn(all []renga.AddOn) []attached {
	var found []attached
	for _, a := range all {
		for _, at := range v.attachments(a) {
			found = append(found, attached{at, a})
		}
	}
	return found
}

func (s *Server) replyAttachments(w http.ResponseWriter, r *http.Request, all []attached, v view) error {
	return wire.ListAs(w, r, all, func(page []attached) ([]attachment, error) { return s.showAttachments(r, page, v), nil },
		wire.By("id", func(at attached) string { return at.ID }),
		wire.By("name", func(at attached) string { return at.Name + "/" + at.ID }),
		wire.ByTime("created_at", func(at attached) (time.Time, string) { return at.CreatedAt, at.ID }))
}

func (s *Server) showAttachments(r *http.Request, all []attached, v view) []attachment {
	shown := make([]attachment, len(all))
	for i, at := range all {
		shown[i] = s.newAttachment(at.of, at.Attachment, v, askedBy(r))
	}
	return shown
}

func (s *Server) listAttachments(w http.ResponseWriter, r *http.Request) error {
	all, v, err := s.seenOfAll(r)
	if err != nil {
		return err
	}
	return s.replyAttachments(w, r, v.attachmentsIn(all), v)
}

func (s *Server) listAttachmentsOfAddOn(w http.ResponseWriter, r *http.Request) error {
	a, v, err := s.addOnOf(r)
	if err != nil {
		return err
	}
	return s.replyAttachments(w, r, v.attachmentsIn([]renga.AddOn{a}), v)
}

func (s *Server) listAttachmentsOfApp(w http.ResponseWriter, r *http.Request) error {
	all, v, err := s.attachmentsOfApp(r)
	if err != nil {
		return err
	}
	return s.replyAttachments(w, r, all, v)
}

// attachmentsOfApp gives the attachments of the path's app.
func (s *Server) attachmentsOfApp(r *http.Request) ([]attached, view, error) {
	app, err := s.AppOf(r)
	if err != nil {
		return nil, view{}, err
	}
	return s.attachmentsTo(r, app)
}

func (s *Server) attachmentsTo(r *http.Request, app renga.App) ([]attached, view, error) {
	all, v, err := s.seenOf(r, app.ID)
	if err != nil {
		return nil, v, err
	}
	var found []attached
	for _, at := range v.attachmentsIn(all) {
		if at.App == app.ID {
			found = append(found, at)
		}
	}
	return found, v, nil
}

func missingAttachment() error { return wire.Missing("add-on attachment", "add_on attachment") }

func (s *Server) attachmentInfo(w http.ResponseWriter, r *http.Request) error {
	at, v, err := s.attachmentOf(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, s.newAttachment(at.of, at.Attachment, v, askedBy(r)))
}

// attachmentOf finds the attachment of the path by its id, if the caller may see
// it.
func (s *Server) attachmentOf(r *http.Request) (attached, view, error) {
	id := strings.ToLower(mux.Vars(r)["attachment"])
	if !wire.IsUUID(id) {
		return attached{}, view{}, missingAttachment()
	}
	a, err := s.parts.AddOns.AddOnByAttachment(r.Context(), id)
	if renga.KindOf(err) == renga.NotFound {
		err = missingAttachment()
	}
	if err != nil {
		return attached{}, view{}, err
	}
	v, err := s.viewOf(r, a)
	if err != nil {
		return attached{}, v, err
	}
	for _, at := range v.attachments(a) {
		if at.ID == id {
			return attached{at, a}, v, nil
		}
	}
	return attached{}, v, missingAttachment()
}

// attachmentOfAppInfo finds an attachment by its name in the app too.
func (s *Server) attachmentOfAppInfo(w http.ResponseWriter, r *http.Request) error {
	all, v, err := s.attachmentsOfApp(r)
	if err != nil {
		return err
	}
	for _, at := range all {
		if s.called(at, mux.Vars(r)["attachment"]) {
			return wire.Answer(w, http.StatusOK, s.newAttachment(at.of, at.Attachment, v, askedBy(r)))
		}
	}
	return missingAttachment()
}

func (s *Server) attach(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		AddOn     identity `json:"addon"`
		App       identity `json:"app"`
		Confirm   string   `json:"confirm"`
		Name      string   `json:"name"`
		Namespace string   `json:"namespace"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	credential, err := credentialIn(body.Namespace)
	if err != nil {
		return err
	}
	a, v, err := s.addOnNamed(r, string(body.AddOn))
	if err != nil {
		return err
	}
	if err := v.permit(r, a, renga.MayOperate); err != nil {
		return err
	}
	app, err := s.AppNamed(r, string(body.App), renga.MayOperate)
	if err != nil {
		return err
	}
	at, err := s.parts.Attacher.Attach(r.Context(), a.ID, renga.AttachmentRequest{
		App: app.ID, Name: body.Name, Credential: credential, Confirm: s.confirmed(body.Confirm, app),
	}, wire.Caller(r).ID)
	if err != nil {
		return s.orMissing(err)
	}
	s.Audit(r, "add-on attached", app.Name, "add-on", a.Name, "attachment", at.Name)
	v.apps[app.ID] = app
	return wire.Answer(w, http.StatusCreated, s.newAttachment(a, at, v, askedBy(r)))
}

// credentialIn gives the credential that a namespace names; empty for the default
// one.
func credentialIn(namespace string) (string, error) {
	name, ok := strings.CutPrefix(namespace, credentialSpace)
	if namespace != "" && (!ok || name == "") {
		return "", wire.Invalid("Namespace %q is none that there is here; credentials are, as credential:NAME.",
			wire.Clip(namespace))
	}
	return cmp.Or(name, renga.DefaultCredential), nil
}

func (s *Server) detach(w http.ResponseWriter, r *http.Request) error {
	at, v, err := s.attachmentOf(r)
	if err != nil {
		return err
	}
	app := v.apps[at.App]
	if err := app.Permit(wire.Caller(r).ID, renga.MayOperate); err != nil {
		return err
	}
	err = s.parts.Attacher.Detach(r.Context(), at.of.ID, at.ID, wire.Caller(r).ID)
	if renga.KindOf(err) == renga.NotFound {
		err = missingAttachment()
	}
	if err != nil {
		return err
	}
	s.Audit(r, "add-on detached", app.Name, "add-on", at.of.Name, "attachment", at.Name)
	return wire.Answer(w, http.StatusOK, s.newAttachment(at.of, at.Attachment, v, askedBy(r)))
}
