package docker

import (
	"encoding/json"
	"maps"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/filters"

	"renga"
	"renga/runtime/engine"
)

// The labels of what the engine makes. Containers carry all of them, networks
// the first three. Each is written on every container, be it empty: a container
// inherits the labels of its image that it does not set itself, and those are
// the pusher's. None holds a secret: labels show in every listing.
const (
	labelPlatform = "renga.platform" // Options.Platform
	labelApp      = "renga.app"      // the app's id
	labelAppName  = "renga.app-name" // as it was then
	labelDyno     = "renga.dyno"     // web.1
	labelDynoID   = "renga.dyno-id"
	labelType     = "renga.type"
	labelRelease  = "renga.release" // the version's number
	labelSize     = "renga.size"
	labelCrashes  = "renga.crashes"
	labelDisk     = "renga.disk"     // what it may have on its disk, in bytes; 0 for no bound
	labelPort     = "renga.port"     // where a web dyno listens; empty on others
	labelCommand  = "renga.command"  // a JSON list
	labelUntil    = "renga.until"    // when a one-off dyno must have ended; empty on others
	labelAttached = "renga.attached" // "true" on a dyno that belongs to a client; empty on others
)

func (e *Engine) appLabels(app renga.AppID, name string) map[string]string {
	return map[string]string{labelPlatform: e.platform, labelApp: string(app), labelAppName: name}
}

func (e *Engine) dynoLabels(s engine.Spec) (map[string]string, error) {
	command, err := json.Marshal(s.Image.Command)
	if err != nil {
		return nil, err
	}
	all := e.appLabels(s.App, s.AppName)
	maps.Copy(all, map[string]string{
		labelDyno:    s.Name,
		labelDynoID:  s.Dyno,
		labelType:    string(s.Type),
		labelRelease: strconv.Itoa(s.Release),
		labelSize:    s.Size.Name,
		labelCrashes: strconv.Itoa(s.Crashes),
		labelDisk:    strconv.FormatInt(s.Size.DiskBytes, 10),
		labelCommand: string(command),
		labelPort:    "", labelUntil: "", labelAttached: "",
	})
	if s.Port != 0 {
		all[labelPort] = strconv.Itoa(s.Port)
	}
	if !s.Until.IsZero() {
		all[labelUntil] = s.Until.UTC().Format(time.RFC3339Nano)
	}
	if s.Attach != nil {
		all[labelAttached] = "true"
	}
	return all, nil
}

// fromLabels is the reverse of dynoLabels. A label that somebody made illegible
// counts as empty: one odd container must not hide all others.
func fromLabels(labels map[string]string) engine.Instance {
	in := engine.Instance{
		App:     renga.AppID(labels[labelApp]),
		Dyno:    labels[labelDynoID],
		Name:    labels[labelDyno],
		Type:    renga.ProcessType(labels[labelType]),
		Size:    labels[labelSize],
		Release: number(labels[labelRelease]),
		Crashes: number(labels[labelCrashes]),
		Until:   timestamp(labels[labelUntil]), Attached: labels[labelAttached] == "true",
	}
	if json.Unmarshal([]byte(labels[labelCommand]), &in.Command) != nil {
		in.Command = nil
	}
	return in
}

// number reads a label; 0 when it is none.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// ours selects this platform's things, and of those the ones that have label
// key set to value.
func (e *Engine) ours(key, value string) filters.Args {
	f := filters.NewArgs(filters.Arg("label", labelPlatform+"="+e.platform))
	if value != "" {
		f.Add("label", key+"="+value)
	}
	return f
}
