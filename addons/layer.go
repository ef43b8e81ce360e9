package addons

import (
	"context"
	"maps"
	"slices"
	"strings"

	"renga"
	"renga/addons/provider"
)

// layer gives an app the credentials of its add-ons as they are now, as one
// release. If it has them already there is none.
func (s *Service) layer(ctx context.Context, app renga.AppID, by renga.AccountID) error {
	defer s.layering.Lock(string(app))()
	all, err := s.Store.AddOnsOf(ctx, app)
	if err != nil {
		return err
	}
	wanted, err := s.credentialsOf(all, app)
	if err != nil {
		return err
	}
	newest, err := s.Releaser.Newest(ctx, app)
	if err != nil {
		return ifThere(err)
	}
	if maps.EqualFunc(newest.Inputs.Credentials, wanted, renga.Credentials.Equal) {
		return nil
	}
	_, err = s.Releaser.Change(ctx, app, renga.Change{
		Description: s.describe(app, all, newest.Inputs.Credentials, wanted),
		By:          by,
		Routine:     sameNames(newest.Inputs.Credentials, wanted),
		Edit: func(in *renga.Inputs) error {
			in.Credentials = clone(wanted)
			return distinct(*in)
		},
	})
	return ifThere(err)
}

// sameNames tells whether two layers differ in values at most: then an add-on changed
// its own config vars, and nobody attached or detached anything.
func sameNames(before, after layers) bool {
	return maps.EqualFunc(before, after, func(was, is renga.Credentials) bool {
		return slices.Equal(was.Vars.Names(), is.Vars.Names())
	})
}

// ifThere is the error unless it says that there is no such app, which needs no
// credentials.
func ifThere(err error) error {
	if renga.KindOf(err) == renga.NotFound {
		return nil
	}
	return err
}

// layers are the credentials of a release.
type layers = map[renga.AddOnID]renga.Credentials

func clone(all layers) layers {
	c := maps.Clone(all)
	for id := range c {
		c[id] = c[id].Clone()
	}
	return c
}

// distinct is an error if a config var is set by hand and by an add-on.
func distinct(in renga.Inputs) error {
	for _, name := range in.Vars.Names() {
		if in.HeldBy(name) != "" {
			return renga.Errorf(renga.Invalid, "Config var %s is set by hand: remove it, or attach the add-on by another "+
				"name.", name)
		}
	}
	return nil
}

// credentialsOf are the credentials that an app's attachments give it.
func (s *Service) credentialsOf(all []renga.AddOn, app renga.AppID) (layers, error) {
	wanted := layers{}
	for _, a := range all {
		if there(&a) != nil {
			continue
		}
		layer, err := s.layerOf(a, app)
		if err != nil {
			return nil, err
		}
		if len(layer.Vars) > 0 {
			wanted[a.ID] = layer
		}
	}
	return wanted, nil
}

// layerOf is what one add-on gives to an app.
func (s *Service) layerOf(a renga.AddOn, app renga.AppID) (renga.Credentials, error) {
	layer := renga.Credentials{Plan: a.PlanName(), Vars: renga.Vars{}}
	e, err := s.planned(a)
	if err != nil {
		return layer, err
	}
	for _, at := range a.Attachments {
		c := a.Credential(at.Credential)
		if at.App != app || at.Leaving || c == nil {
			continue
		}
		vars, err := e.by.Config(e.Instance, *c)
		if err != nil {
			return layer, err
		}
		for suffix, value := range vars {
			layer.Vars[at.Name+"_"+suffix] = value
		}
		layer.Version = max(layer.Version, c.Version)
	}
	if disks, ok := e.by.(provider.Mounter); ok && len(layer.Vars) > 0 {
		layer.Mounts, err = disks.Mounts(e.Instance)
	}
	return layer, err
}

// describe says what a release changes of an app's credentials, as Heroku does.
func (s *Service) describe(app renga.AppID, all []renga.AddOn, before, after layers) string {
	var said []string
	for _, a := range all {
		was, is := before[a.ID], after[a.ID]
		attached := names(is.Vars, was.Vars, a.Attachments, app)
		detached := names(was.Vars, is.Vars, a.Attachments, app)
		for _, name := range attached {
			said = append(said, "Attach "+name+" (@ref:"+a.Name+")")
		}
		for _, name := range detached {
			said = append(said, "Detach "+name+" (@ref:"+a.Name+")")
		}
		if len(attached)+len(detached) == 0 && !was.Equal(is) {
			said = append(said, "Update "+nameIn(a, app)+" by "+a.Service)
		}
	}
	if len(said) == 0 {
		return "Update add-ons"
	}
	return strings.Join(said, ", ")
}

// names are the names of attachments whose config vars are in one set and not in
// the other.
func names(in, notIn renga.Vars, attachments []renga.Attachment, app renga.AppID) []string {
	var all []string
	for _, name := range in.Names() {
		if _, both := notIn[name]; both {
			continue
		}
		if short := attachmentOf(name, attachments, app); !slices.Contains(all, short) {
			all = append(all, short)
		}
	}
	return all
}

// attachmentOf is the attachment that a config var belongs to: the longest name
// that it begins with, or what stands before its last underscore.
func attachmentOf(config string, attachments []renga.Attachment, app renga.AppID) string {
	best := ""
	for _, at := range attachments {
		if at.App == app && strings.HasPrefix(config, at.Name+"_") && len(at.Name) > len(best) {
			best = at.Name
		}
	}
	if best != "" {
		return best
	}
	if i := strings.LastIndexByte(config, '_'); i > 0 {
		return config[:i]
	}
	return config
}

// nameIn is the name of the add-on's first attachment to an app.
func nameIn(a renga.AddOn, app renga.AppID) string {
	for _, at := range a.Attachments {
		if at.App == app && !at.Leaving {
			return at.Name
		}
	}
	return a.Name
}
