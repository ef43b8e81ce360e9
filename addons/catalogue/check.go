package catalogue

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"renga"
)

var (
	serviceName = regexp.MustCompile(`^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$`)
	planName    = regexp.MustCompile(`^[a-z0-9]+(?:[-.][a-z0-9]+)*$`)
	versionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,19}$`)
	varName     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`) // some images read names with dots
	suffixName  = regexp.MustCompile(`^[A-Z0-9][A-Z0-9_]*$`)
	measureName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

const (
	maxName = 40  // of a service, a plan, a prefix
	maxText = 250 // of a description
)

// check finds everything that is wrong with a service, and fills in what a file
// may leave out.
func (f *file) check() {
	s := &f.service
	f.checkNames(s)
	f.checkAttachment(s)
	f.checkPlans(s)
	f.want(f.provided(Partner) || s.Partner == (PartnerFacts{}), f.line("partner"),
		"partner: no plan has `provider: partner`: leave it out")
	switch {
	case f.provided(Partner):
		f.checkNoContainer()
		f.checkPartner(s)
	case f.provided(Container, SharedPostgres):
		f.checkImage(s)
		f.checkContainer(s)
		f.checkCommands(s)
	case f.provided(Disk):
		f.checkPath(s.Volume, "volume")
		f.checkNoContainer()
	}
	f.checkConfig(s)
	f.checkRendering(s)
}

// provided tells whether the service or one of its plans has one of those providers.
func (f *file) provided(by ...string) bool {
	return slices.ContainsFunc(f.service.Plans, func(p Plan) bool { return slices.Contains(by, p.Provider) })
}

// want tells what is wrong unless it is good.
func (f *file) want(good bool, line int, format string, args ...any) bool {
	if !good {
		f.fail(line, format, args...)
	}
	return good
}

func isName(pattern *regexp.Regexp, name string) bool {
	return len(name) <= maxName && pattern.MatchString(name)
}

func (f *file) checkNames(s *Service) {
	const form = "up to 40 lowercase letters, digits and single dashes, a letter first"
	f.want(isName(serviceName, s.Name), f.line("service"),
		"service: %q is no name of a service: use %s", clip(s.Name), form)
	f.checkText("name", s.HumanName, "how people call the service, such as `name: Heroku Postgres`")
	f.checkText("description", s.Description, "in one sentence what the service is")
	seen := map[string]bool{s.Name: true}
	for i, alias := range s.Aliases {
		line := f.line("aliases", i)
		f.want(isName(serviceName, alias), line, "aliases: %q is no name of a service: use %s", clip(alias), form)
		f.want(!seen[alias], line, "aliases: %q is there twice, or is the service's own name: leave it out", clip(alias))
		seen[alias] = true
	}
	if s.Prefix == "" {
		s.Prefix = s.Name
	}
	f.want(isName(serviceName, s.Prefix), f.line("prefix"),
		"prefix: %q cannot begin names of add-ons: use %s", clip(s.Prefix), form)
}

func (f *file) checkText(field, text, what string) {
	good := text != "" && len(text) <= maxText && !strings.ContainsAny(text, "\n\r\x00\x1b")
	f.want(good, f.line(field), "%s: say %s, on one line of up to %d characters", field, what, maxText)
}

func (f *file) checkAttachment(s *Service) {
	if s.Alternative == "" {
		s.Alternative = s.Attachment
	}
	for field, name := range map[string]string{"attachment": s.Attachment, "alternative": s.Alternative} {
		good := renga.ValidateAttachmentName(name) == nil && len(name) <= maxName
		if field == "attachment" || name != s.Attachment {
			f.want(good, f.line(field), "%s: %q cannot begin names of config vars: use up to %d uppercase letters, digits "+
				"and underscores, a letter first, such as DATABASE", field, clip(name), maxName)
		}
	}
}

func (f *file) checkImage(s *Service) {
	if len(s.Versions) == 0 {
		f.want(s.Version == "", f.line("version"),
			"version: there are no versions to choose from: leave it out, or name images in versions")
		f.checkReference(s.Image, "image")
		return
	}
	f.want(s.Image == "", f.line("image"), "image: the images are named in versions: leave this one out")
	for _, version := range slices.Sorted(maps.Keys(s.Versions)) {
		f.want(versionName.MatchString(version), f.line("versions", version),
			"versions: %q is no version: use up to 20 letters, digits, dots and dashes", clip(version))
		f.checkReference(s.Versions[version], "versions", version)
	}
	image, ok := s.Versions[s.Version]
	f.want(ok, f.line("version"), "version: %q is none of the versions %s: name the one to make when nobody chooses",
		clip(s.Version), strings.Join(slices.Sorted(maps.Keys(s.Versions)), ", "))
	s.Image = image
}

func (f *file) checkReference(image string, at ...any) {
	ref, err := reference.ParseNormalizedNamed(image)
	f.want(err == nil && !reference.IsNameOnly(ref), f.line(at...),
		"%s: %q is no image: write name:tag or name@sha256:digest, such as postgres:17", at[0], clip(image))
}

func (f *file) checkContainer(s *Service) {
	f.want(s.Port >= 1 && s.Port <= 65535, f.line("port"),
		"port: say where the service listens in its container, from 1 to 65535")
	if s.Volume != "" {
		f.checkPath(s.Volume, "volume")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
		at := []any{"environment", name}
		f.want(varName.MatchString(name), f.line(at...),
			"environment: %q is no name of a variable: use letters, digits, dots and underscores, no digit first",
			clip(name))
		f.refuseCredential(s.Environment[name])
	}
	for _, argument := range s.Arguments {
		f.refuseSecrets(argument)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Files)) {
		f.checkPath(name, "files", name)
		owner := s.Files[name].Owner
		f.want(owner >= 0 && owner < 1<<31, f.line("files", name, "owner"), "owner: %d is no number of a user", owner)
		f.want(!s.Files[name].Content.IsZero(), f.line("files", name), "files: the content of %s is missing", clip(name))
		f.refuseCredential(s.Files[name].Content)
	}
}

// checkPath wants a path that means the same to everyone, and hides nothing that
// every container has.
func (f *file) checkPath(name string, at ...any) {
	good := path.IsAbs(name) && path.Clean(name) == name && len(name) <= maxText && plain.MatchString(name)
	first, _, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	f.want(good && !slices.Contains([]string{"", "proc", "sys", "dev"}, first), f.line(at...),
		"%s: %q is no path: write an absolute one of letters, digits, dots, dashes and underscores, not below /proc, "+
			"/sys or /dev", at[0], clip(name))
}

// checkNoContainer refuses what only a container has.
func (f *file) checkNoContainer() {
	fields := []string{
		"image", "version", "versions", "port", "environment", "arguments", "files", "ready", "grant", "revoke", "dump",
		"restore", "usage", "upgrade",
	}
	if !f.provided(Disk) {
		fields = append(fields, "volume")
	}
	for _, field := range fields {
		line := f.root.Line
		there := below(f.root, field, &line) != nil
		f.want(!there, line, "%s: nothing of the service runs in a container of its own: leave it out", field)
	}
}

func (f *file) checkConfig(s *Service) {
	if f.provided(Partner) {
		f.want(len(s.Config) == 0, f.line("config"), "config: the partner says what its config vars are: leave it out")
		return
	}
	f.want(len(s.Config) > 0, f.line("config"),
		"config: name the config vars that apps get, such as `config: {URL: \"…\"}`")
	for _, suffix := range slices.Sorted(maps.Keys(s.Config)) {
		f.want(len(suffix) <= maxName && suffixName.MatchString(suffix), f.line("config", suffix),
			"config: %q cannot end the name of a config var: use up to %d uppercase letters, digits and "+
				"underscores, such as URL", clip(suffix), maxName)
		if !s.Grant.isThere() {
			f.refuseGranted(s.Config[suffix])
		}
		f.refuse(s.Config[suffix], "Admin", "apps get {{.Password}}: the password {{.Admin}} is the platform's alone")
	}
}
