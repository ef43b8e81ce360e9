package buildpacks

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"renga"
)

const (
	metadataLabel = "io.buildpacks.builder.metadata"
	// procfile ends the ids of buildpacks that read a Procfile.
	procfile = "/procfile"
)

// platformAPIs are the versions of the platform spec that this package speaks, the best
// one last. Before 0.12 there was no OCI layout.
var platformAPIs = []string{"0.12", "0.13", "0.14"}

// builder is what a builder's image says of itself (platform spec, "Builder metadata").
type builder struct {
	name, id    string // the daemon's
	uid, gid    int    // of whoever builds
	runImage    string
	platformAPI string
	buildpacks  []buildpack
}

type buildpack struct {
	ID      string `json:"id"`
	Version string `json:"version"`
}

// builder gives the builder of that name.
func (m *Maker) builder(ctx context.Context, name string, output io.Writer) (builder, error) {
	found, err := m.image(ctx, name, "It is the builder that this platform was started with, by its setting --builder.", output)
	if err != nil {
		return builder{}, err
	}
	config, err := m.docker.ImageConfig(ctx, found.ID)
	if err != nil {
		return builder{}, err
	}
	b, err := parseBuilder(config.Labels[metadataLabel], config.Env)
	if err != nil {
		return b, renga.Errorf(renga.Invalid, "The image %s cannot build: %w. Set another builder.", renga.Clip(name, 200), err)
	}
	b.name, b.id = name, found.ID
	return b, nil
}

func parseBuilder(label string, env []string) (builder, error) {
	var meta struct {
		Buildpacks []buildpack `json:"buildpacks"`
		Images     []struct {
			Image string `json:"image"`
		} `json:"images"`
		Stack struct {
			RunImage struct {
				Image string `json:"image"`
			} `json:"runImage"`
		} `json:"stack"`
		Lifecycle struct {
			APIs struct {
				Platform struct {
					Supported []string `json:"supported"`
				} `json:"platform"`
			} `json:"apis"`
		} `json:"lifecycle"`
	}
	if label == "" {
		return builder{}, fmt.Errorf("it has no label %s, and is no builder", metadataLabel)
	}
	if err := json.Unmarshal([]byte(label), &meta); err != nil {
		return builder{}, fmt.Errorf("its label %s is not what builders have: %w", metadataLabel, err)
	}
	b := builder{buildpacks: meta.Buildpacks, runImage: meta.Stack.RunImage.Image}
	if len(meta.Images) > 0 {
		b.runImage = meta.Images[0].Image
	}
	for _, api := range platformAPIs {
		if slices.Contains(meta.Lifecycle.APIs.Platform.Supported, api) {
			b.platformAPI = api
		}
	}
	for _, v := range env {
		switch name, value, _ := strings.Cut(v, "="); name {
		case "CNB_USER_ID":
			b.uid, _ = strconv.Atoi(value) // 0 is refused below
		case "CNB_GROUP_ID":
			b.gid, _ = strconv.Atoi(value)
		}
	}
	switch {
	case b.runImage == "":
		return b, fmt.Errorf("it names no run image")
	case b.platformAPI == "":
		return b, fmt.Errorf("its lifecycle speaks none of the platform APIs %s", strings.Join(platformAPIs, ", "))
	case b.uid <= 0 || b.gid <= 0:
		return b, fmt.Errorf("it would build as root: CNB_USER_ID and CNB_GROUP_ID must be more than 0")
	}
	return b, nil
}

// order is the order.toml that has the chosen buildpacks run (platform spec, "order.toml");
// empty if none are chosen, and the builder's own order holds.
func (b builder) order(chosen []string) (string, error) {
	if len(chosen) == 0 {
		return "", nil
	}
	var group []buildpack
	optional := ""
	for _, name := range chosen {
		found, err := b.find(name)
		if err != nil {
			return "", err
		}
		group = append(group, found)
	}
	for _, one := range b.buildpacks {
		if strings.HasSuffix(one.ID, procfile) && !slices.Contains(group, one) {
			group, optional = append(group, one), one.ID
			break
		}
	}
	var text strings.Builder
	text.WriteString("[[order]]\n")
	for _, one := range group {
		fmt.Fprintf(&text, "[[order.group]]\nid = %q\nversion = %q\noptional = %t\n", one.ID, one.Version, one.ID == optional)
	}
	return text.String(), nil
}

// find finds a buildpack by its name, which may be written as the builder's, as
// urn:cnb:builder:heroku/nodejs, or with a version, heroku/nodejs@1.2.3.
func (b builder) find(name string) (buildpack, error) {
	id, version, _ := strings.Cut(strings.TrimPrefix(name, "urn:cnb:builder:"), "@")
	var ids []string
	for _, one := range b.buildpacks {
		if one.ID == id && (version == "" || version == one.Version) {
			return one, nil
		}
		ids = append(ids, one.ID)
	}
	slices.Sort(ids)
	return buildpack{}, renga.Errorf(renga.Invalid,
		"The builder %s has no buildpack %q; it has %s. "+
			"Choose with heroku buildpacks:set urn:cnb:builder:NAME, or let it detect with heroku buildpacks:clear.",
		b.name, renga.Clip(name, 200), strings.Join(slices.Compact(ids), ", "))
}
