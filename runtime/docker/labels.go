package docker

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"time"

	"renga"
	"renga/docker"
	"renga/runtime/engine"
)

// The labels of a dyno's container beside those of its app. Each is written on
// every one, be it empty: a container inherits the labels of its image that it
// does not set itself, and those are the pusher's. None holds a secret: labels
// show in every listing.
const (
	labelDyno     = "renga.dyno" // web.1
	labelDynoID   = "renga.dyno-id"
	labelType     = "renga.type"
	labelRelease  = "renga.release" // the version's number
	labelSize     = "renga.size"
	labelCrashes  = "renga.crashes"
	labelDisk     = "renga.disk"     // what it may have on its disk, in bytes; 0 for no bound
	labelPort     = "renga.port"     // where a web dyno listens; empty on others
	labelCommand  = "renga.command"  // a JSON list
	labelUntil    = "renga.until"    // when a one-off dyno must have ended; empty on others
	labelAlone    = "renga.alone"    // the volumes that it writes alone, spaces between
	labelAttached = "renga.attached" // "true" on a dyno that belongs to a client; empty on others
)

func dynoLabels(s engine.Spec) (map[string]string, error) {
	command, err := json.Marshal(s.Image.Command)
	if err != nil {
		return nil, err
	}
	all := docker.OfApp(s.App, s.AppName)
	maps.Copy(all, map[string]string{
		labelDyno:    s.Name,
		labelDynoID:  s.Dyno,
		labelType:    string(s.Type),
		labelRelease: strconv.Itoa(s.Release),
		labelSize:    s.Size.Name,
		labelCrashes: strconv.Itoa(s.Crashes),
		labelDisk:    strconv.FormatInt(s.Size.DiskBytes, 10),
		labelCommand: string(command),
		labelAlone:   strings.Join(s.Alone(), " "),
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
		App:     renga.AppID(labels[docker.LabelApp]),
		Dyno:    labels[labelDynoID],
		Name:    labels[labelDyno],
		Type:    renga.ProcessType(labels[labelType]),
		Size:    labels[labelSize],
		Release: number(labels[labelRelease]),
		Crashes: number(labels[labelCrashes]), Attached: labels[labelAttached] == "true",
	}
	if alone := strings.Fields(labels[labelAlone]); len(alone) > 0 {
		in.Alone = alone
	}
	in.Until, _ = time.Parse(time.RFC3339Nano, labels[labelUntil]) // zero when it is none
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
