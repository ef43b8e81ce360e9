package disk

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"renga"
	"renga/addons/provider"
)

// The options that a disk is made with.
const (
	optionPath    = "path"
	optionProcess = "process"
	optionShared  = "shared"
)

type options struct {
	path   string
	types  []renga.ProcessType
	shared bool
}

// optionsOf reads what was asked for.
func optionsOf(i provider.Instance) (options, error) {
	known := []string{optionPath, optionProcess, optionShared}
	for _, name := range slices.Sorted(maps.Keys(i.AddOn.Options)) {
		if !slices.Contains(known, name) {
			return options{}, renga.Errorf(renga.Invalid, "A disk has no option %q; its options are --path, --process and --shared.",
				renga.Clip(name, 40))
		}
	}
	o := options{path: cmp.Or(i.AddOn.Options[optionPath], i.Service.Volume)}
	for _, t := range strings.Split(cmp.Or(i.AddOn.Options[optionProcess], string(renga.Web)), ",") {
		if t := renga.ProcessType(strings.TrimSpace(t)); !slices.Contains(o.types, t) {
			o.types = append(o.types, t)
		}
	}
	switch i.AddOn.Options[optionShared] {
	case "", "false":
	case "true":
		o.shared = true
	default:
		return o, renga.Errorf(renga.Invalid, "Option --shared must be true or false.")
	}
	return o, nil
}

// Mounts implements [provider.Mounter].
func (p *Provider) Mounts(i provider.Instance) ([]renga.Mount, error) {
	o, err := optionsOf(i)
	if err != nil {
		return nil, err
	}
	return []renga.Mount{{Volume: name(i.AddOn.ID), Path: o.path, Types: o.types, Shared: o.shared}}, nil
}

// Check implements [provider.Checker].
func (p *Provider) Check(i provider.Instance) error {
	mounts, err := p.Mounts(i)
	if err != nil {
		return err
	}
	if err := renga.ValidateMounts(mounts); err != nil {
		return err
	}
	apps := map[renga.AppID]bool{}
	for _, at := range i.AddOn.Attachments {
		apps[at.App] = apps[at.App] || !at.Leaving
	}
	maps.DeleteFunc(apps, func(_ renga.AppID, attached bool) bool { return !attached })
	if len(apps) > 1 && !mounts[0].Shared {
		return renga.Errorf(renga.Invalid, "Dynos of two apps would write to the disk at once. Make it with --shared true if they may.")
	}
	return nil
}
