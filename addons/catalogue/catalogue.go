// Package catalogue reads the files that say which services the platform offers
// as add-ons: one file per service. Adding a service is adding a file.
//
// [Load] checks everything that can be wrong with a file, so that whoever uses a
// [Service] finds it whole: names are valid, templates render, plans have sizes.
package catalogue

import (
	"maps"
	"slices"
	"strings"

	"renga"
)

// The providers that a service or a plan may name.
const (
	Container      = "container"       // a container of its own
	SharedPostgres = "shared-postgres" // a database in a server that others have databases in
	Disk           = "disk"            // a volume in the app's dynos
	Partner        = "partner"         // somebody else, over Heroku's Add-on Partner API
)

// Service is one entry of the catalogue.
type Service struct {
	Name        string   `yaml:"service"`     // heroku-postgresql
	HumanName   string   `yaml:"name"`        // Heroku Postgres
	Aliases     []string `yaml:"aliases"`     // other names that add-ons may be made with
	Description string   `yaml:"description"` // one sentence
	Provider    string   `yaml:"provider"`    // who makes it; a plan may say another

	// Attachment is the name of an app's first attachment of the service; that of
	// further ones is Alternative, an underscore and a colour.
	Attachment  string `yaml:"attachment"`  // DATABASE
	Alternative string `yaml:"alternative"` // HEROKU_POSTGRESQL; Attachment if the file has none
	// Prefix is what names of its add-ons begin with, for instance postgresql.
	Prefix string `yaml:"prefix"`

	// Image is what runs, that of the default version if there are several. Versions
	// are images by version, which whoever makes an add-on may choose, and Version is
	// the default one. Without Versions there is nothing to choose.
	Image    string            `yaml:"image"`
	Version  string            `yaml:"version"`
	Versions map[string]string `yaml:"versions"`

	Port int `yaml:"port"`
	// Volume is where its data are in the container; empty for none. That of a disk
	// is where dynos find it unless they are told another place.
	Volume      string              `yaml:"volume"`
	Environment map[string]Template `yaml:"environment"` // of the container
	Arguments   []Template          `yaml:"arguments"`   // for the image's entrypoint
	Files       map[string]File     `yaml:"files"`       // by path: written into the container before it starts

	// Ready succeeds once the service answers. Without it, that is once its port does.
	Ready Command `yaml:"ready"`
	// Config are the config vars of an app: by what follows the attachment's name
	// and an underscore.
	Config map[string]Template `yaml:"config"`

	// The commands run in the container, as its image's user. All may be repeated.
	// Grant and Revoke get a credential; a service without them knows no users. Dump
	// writes to its standard output what Restore reads from its input.
	Grant   Command            `yaml:"grant"`
	Revoke  Command            `yaml:"revoke"`
	Dump    Command            `yaml:"dump"`
	Restore Command            `yaml:"restore"`
	Usage   map[string]Command `yaml:"usage"` // name of a measure → prints a number; connections, data_bytes
	// Upgrade has what a change to a newer version in place needs besides Dump and
	// Restore; a service without it has none.
	Upgrade Upgrade `yaml:"upgrade"`

	// Partner is where somebody else provides it.
	Partner PartnerFacts `yaml:"partner"`

	Plans []Plan `yaml:"plans"` // the first is the default
}

// Plan is a size in which a service comes.
type Plan struct {
	Name        string   `yaml:"name"`       // essential-0
	Aliases     []string `yaml:"aliases"`    // other names that it may be chosen with
	HumanName   string   `yaml:"human_name"` // Essential 0; made of Name if the file has none
	Provider    string   `yaml:"provider"`   // the service's if the file has none
	Memory      Bytes    `yaml:"memory"`
	CPU         float64  `yaml:"cpu"`
	Disk        Bytes    `yaml:"disk"`
	Connections int      `yaml:"connections"` // 0 for no limit
}

// File is one that is written into a container before it starts. Only its owner
// may read it.
type File struct {
	Content Template `yaml:"content"`
	// Owner is the number of the user that the service runs as in its image.
	Owner int `yaml:"owner"`
}

// Command is run in a service's container.
type Command struct {
	// Run is the program and its arguments. Every process of the machine can read
	// them: no password belongs here.
	Run []Template `yaml:"run"`
	// Input goes to its standard input.
	Input Template `yaml:"input"`
}

// Upgrade are the commands with which the data of one version come into a newer one. All
// may be repeated.
type Upgrade struct {
	// Freeze ends all connections of apps, and lets none in until a credential is granted
	// again. That outlives a restart of the service.
	Freeze Command `yaml:"freeze"`
	// Sums prints what the data are, in lines that are the same for the same data in every
	// version: how many there are of each kind, and checksums.
	Sums Command `yaml:"sums"`
	// Carry prints what Dump leaves out, and Finish reads that from its input, in the newer
	// one; both or neither.
	Carry  Command `yaml:"carry"`
	Finish Command `yaml:"finish"`
}

// IsZero tells whether there is no command.
func (c Command) IsZero() bool { return len(c.Run) == 0 }

// ImageOf is the image of a version that somebody chose; of the default one if
// nobody did.
func (s Service) ImageOf(version string) (string, error) {
	if version == "" {
		return s.Image, nil
	}
	if image, ok := s.Versions[version]; ok {
		return image, nil
	}
	if len(s.Versions) == 0 {
		return "", renga.Errorf(renga.Invalid, "%s comes in one version only: leave out the version.", s.Name)
	}
	return "", renga.Errorf(renga.Invalid, "%s does not come in version %q; choose one of %s.",
		s.Name, renga.Clip(version, 20), strings.Join(slices.Sorted(maps.Keys(s.Versions)), ", "))
}
