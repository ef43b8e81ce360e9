package dynos

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// update is what a request changes of one process type.
type update struct {
	Type        string          `json:"type"`
	Quantity    *quantity       `json:"quantity"`
	Size        *string         `json:"size"`
	DynoSize    *sizeAsked      `json:"dyno_size"`
	DockerImage json.RawMessage `json:"docker_image"`
	// Canary is only in requests about one process type.
	Canary *wire.CanaryAsked `json:"canary"`
}

// quantity is a number of dynos, or a difference: 2, "2", "+1", "-1". The official
// CLI sends strings.
type quantity struct {
	n        int
	relative bool
}

// UnmarshalJSON reads a whole number, or one in a string.
func (q *quantity) UnmarshalJSON(b []byte) error {
	text := string(b)
	quoted := json.Unmarshal(b, &text) == nil
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return wire.Invalid("Quantity must be a whole number from 0 to %d.", renga.MaxQuantity)
	}
	q.n, q.relative = int(n), quoted && strings.ContainsAny(text[:1], "+-")
	return nil
}

// of gives the number of dynos when there are now some.
func (q quantity) of(now int) (int, error) {
	n := q.n
	if q.relative {
		n += now
	}
	if n < 0 || n > renga.MaxQuantity {
		return 0, wire.Invalid("Quantity must be a whole number from 0 to %d; this would be %d.", renga.MaxQuantity, n)
	}
	return n, nil
}

// updateFormation changes several process types, all or none, and answers with the
// whole formation.
func (s *Server) updateFormation(w http.ResponseWriter, r *http.Request) error {
	p, err := s.processesOf(r)
	if err != nil {
		return err
	}
	var body struct {
		Updates []update          `json:"updates"`
		Canary  *wire.CanaryAsked `json:"canary"`
	}
	if err := wire.Decode(r, &body); err != nil {
		return err
	}
	if len(body.Updates) == 0 {
		return wire.Invalid("Field \"updates\" must name at least one process type to change.")
	}
	if p, err = s.change(r, p, body.Updates, body.Canary); err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, p.wires())
}

// updateProcess changes one process type. The answer for one that was removed is
// what it was, without dynos.
func (s *Server) updateProcess(w http.ResponseWriter, r *http.Request) error {
	p, err := s.processesOf(r)
	if err != nil {
		return err
	}
	var u update
	if err := wire.Decode(r, &u); err != nil {
		return err
	}
	u.Type = mux.Vars(r)["type"]
	t, err := p.find(u.Type)
	if err != nil && !u.deploys() {
		return err
	}
	if err != nil {
		t = renga.ProcessType(u.Type)
	}
	was := p.wire(t)
	was.Quantity = 0
	if p, err = s.change(r, p, []update{u}, u.Canary); err != nil {
		return err
	}
	if _, there := p.entries[t]; !there {
		return wire.Answer(w, http.StatusOK, was)
	}
	return wire.Answer(w, http.StatusOK, p.wire(t))
}

// deploys tells whether the update has an image, removes whether it removes the
// process type's image.
func (u update) deploys() bool { return len(u.DockerImage) > 0 && !u.removes() }
func (u update) removes() bool { return string(u.DockerImage) == "null" }

// scales tells whether the update changes the number or the size of dynos.
func (u update) scales() bool { return u.Quantity != nil || u.Size != nil || u.DynoSize != nil }

// change carries out the updates: it finds their images, scales, and makes the
// release. It refuses what must be refused before it changes anything.
func (s *Server) change(r *http.Request, p processes, updates []update, asked *wire.CanaryAsked) (processes, error) {
	if err := s.mayChange(r, updates); err != nil {
		return p, err
	}
	d, err := s.deployOf(r, p, updates)
	if err != nil {
		return p, err
	}
	if d.Canary, err = wire.CanaryOf(p.app, asked); err != nil {
		return p, err
	}
	p = p.deployed(d)
	if slices.ContainsFunc(updates, update.scales) {
		if p, err = s.scale(r, p, updates); err != nil {
			return p, err
		}
	}
	if len(d.Images)+len(d.Remove) > 0 {
		p, err = s.deploy(r, p, d)
	}
	return p, err
}

// mayChange checks the permission for each update: operate to scale, deploy to
// release.
func (s *Server) mayChange(r *http.Request, updates []update) error {
	for _, u := range updates {
		if u.scales() {
			if err := s.AlsoRequire(r, wire.Operating); err != nil {
				return err
			}
		}
		if u.deploys() || u.removes() {
			if err := s.AlsoRequire(r, wire.Deploying); err != nil {
				return err
			}
		}
	}
	return nil
}

// deployOf gives the images that the updates release.
func (s *Server) deployOf(r *http.Request, p processes, updates []update) (renga.Deploy, error) {
	d := renga.Deploy{Images: map[renga.ProcessType]map[renga.ProcessType]renga.Image{}}
	for _, u := range updates {
		switch {
		case u.removes():
			t, err := p.find(u.Type)
			if err != nil {
				return d, err
			}
			d.Remove = append(d.Remove, t)
		case u.deploys():
			t, images, err := s.imageOf(r, p, u)
			if err != nil {
				return d, err
			}
			d.Images[t] = images
		}
	}
	return d, nil
}

// imageOf finds the image of an update. The process type may be new.
func (s *Server) imageOf(r *http.Request, p processes, u update) (
	renga.ProcessType, map[renga.ProcessType]renga.Image, error,
) {
	t, err := p.find(u.Type)
	if err != nil {
		t = renga.ProcessType(u.Type)
	}
	if err := renga.ValidateProcessType(t); err != nil {
		return t, nil, err
	}
	var ref string
	if json.Unmarshal(u.DockerImage, &ref) != nil || ref == "" {
		return t, nil, wire.Invalid("Field \"docker_image\" must be the digest of an image or a tag, or null to " +
			"take the process type away.")
	}
	images, err := s.parts.Images.Find(r.Context(), p.app.Name, t, ref)
	return t, images, err
}

// deployed gives p with the process types of a deploy.
func (p processes) deployed(d renga.Deploy) processes {
	p.images = maps.Clone(p.images)
	if p.images == nil {
		p.images = map[renga.ProcessType]renga.Image{}
	}
	for _, images := range d.Images {
		maps.Copy(p.images, images)
	}
	for t, images := range d.Images {
		p.images[t] = images[t]
	}
	return p.with(p.entries)
}

// deploy makes the release, and drops the formation of process types that it
// removes.
func (s *Server) deploy(r *http.Request, p processes, d renga.Deploy) (processes, error) {
	rel, err := s.parts.Deployer.Deploy(r.Context(), p.app.ID, d, wire.Caller(r).ID)
	if err != nil {
		return p, wire.OrNotFound(err, "app")
	}
	entries, err := s.parts.Formations.SetFormation(r.Context(), p.app.ID, func(f renga.Formation) error {
		for _, t := range d.Remove {
			delete(f, t)
		}
		return nil
	})
	if err != nil {
		return p, wire.OrNotFound(err, "app")
	}
	s.Reconciler.Reconcile(p.app.ID)
	s.Audit(
		r, "images released", p.app.Name, "release", rel.Name(), "types", slices.Sorted(maps.Keys(d.Images)),
		"removed", d.Remove,
	)
	p.images = rel.Inputs.Images
	return p.with(entries), nil
}

// scale sets numbers and sizes of dynos and tells the dyno manager.
func (s *Server) scale(r *http.Request, p processes, updates []update) (processes, error) {
	entries, err := s.parts.Formations.SetFormation(r.Context(), p.app.ID, func(f renga.Formation) error {
		current := p.with(f)
		for _, u := range updates {
			if !u.scales() {
				continue
			}
			t, err := current.find(u.Type)
			if err != nil {
				return err
			}
			scale, err := s.rescaled(p.mounts, t, current.entries[t], u)
			if err != nil {
				return err
			}
			f[t], current.entries[t] = scale, scale
		}
		return nil
	})
	if err != nil {
		return processes{}, wire.OrNotFound(err, "app")
	}
	s.Reconciler.Reconcile(p.app.ID)
	p = p.with(entries)
	what := "Scaled to"
	for _, u := range updates {
		if t, err := p.find(u.Type); err == nil && u.scales() { // change has found it before
			scale := p.entries[t]
			what += fmt.Sprintf(" %s@%d:%s", t, scale.Quantity, shownSize(scale.Size))
			s.Audit(r, "formation set", p.app.Name, "type", t, "quantity", scale.Quantity, "size", scale.Size)
		}
	}
	s.Activity.Note(r.Context(), p.app.ID, wire.Caller(r).ID, what)
	return p, nil
}

// rescaled gives the new scale of a process type, for an app with those disks.
func (s *Server) rescaled(disks []renga.Mount, t renga.ProcessType, scale renga.Scale, u update) (renga.Scale, error) {
	var err error
	if u.Quantity != nil {
		if scale.Quantity, err = u.Quantity.of(scale.Quantity); err != nil {
			return scale, err
		}
		if t == renga.ReleaseType && scale.Quantity != 0 {
			return scale, wire.Invalid("Process type release runs once for each release and cannot be scaled.")
		}
		if err := renga.ValidateScale(disks, t, scale.Quantity); err != nil {
			return scale, err
		}
	}
	size, err := s.sizeOf(u.Size, u.DynoSize)
	if err == nil && size != "" {
		scale.Size = size
	}
	return scale, err
}
