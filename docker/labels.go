package docker

import (
	"maps"

	"github.com/docker/docker/api/types/filters"

	"renga"
)

// The labels that say whose something is. None holds a secret: labels show in
// every listing.
const (
	LabelPlatform = "renga.platform" // Options.Platform; on all that is made here
	LabelApp      = "renga.app"      // the app's id
	LabelAppName  = "renga.app-name" // as it was then
	LabelKind     = "renga.kind"     // a container's Kind
)

// Kind is what a container is for. Each kind has one owner, who sees no others.
type Kind string

// Dyno is the kind of the dyno manager's containers.
const Dyno Kind = "dyno"

// kindOf reads it from a container's labels. Those without were made before there
// were kinds.
func kindOf(labels map[string]string) Kind {
	if kind := labels[LabelKind]; kind != "" {
		return Kind(kind)
	}
	return Dyno
}

// Label selects what has a label with that value.
type Label struct{ Key, Value string }

// OfApp are the labels of what belongs to an app.
func OfApp(app renga.AppID, name string) map[string]string {
	return map[string]string{LabelApp: string(app), LabelAppName: name}
}

// owned are the labels with the platform's.
func (c *Client) owned(labels map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, labels)
	all[LabelPlatform] = c.platform
	return all
}

// ours selects what is the platform's and has all those labels.
func (c *Client) ours(labels ...Label) filters.Args {
	f := filters.NewArgs(filters.Arg("label", LabelPlatform+"="+c.platform))
	for _, l := range labels {
		f.Add("label", l.Key+"="+l.Value)
	}
	return f
}
