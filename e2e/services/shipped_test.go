package services_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/addons/catalogue"
)

// shipped is a service of the catalogue that runs in the lab as its file says.
type shipped struct {
	*lab
	catalogue.Service
	data  catalogue.Data
	image string
}

// newShipped makes a service of a version; none is the default one.
func newShipped(t *testing.T, service, plan, version string) *shipped {
	t.Helper()
	l := newLab(t)
	all, err := catalogue.Load("")
	check(t, err)
	s, p, err := all.Plan(renga.PlanName(service, plan))
	check(t, err)
	image, err := s.ImageOf(version)
	check(t, err)
	id := rand.Text()
	made := &shipped{lab: l, Service: s, image: l.image(image)}
	made.data = s.Data(renga.AddOn{
		ID: renga.AddOnID(hex.EncodeToString([]byte(id))[:32]), Name: "service-curved-1", Host: "service", Admin: secret(),
		Options: map[string]string{"version": version},
	}, p)
	made.start()
	return made
}

// secret is as the platform makes passwords: URL-safe.
func secret() renga.Secret { return renga.Secret("-" + rand.Text() + "_" + rand.Text()) }

// credential is as the platform makes them.
func credential(version int) renga.Credential {
	user := "u" + strings.ToLower(rand.Text()[:14])
	return renga.Credential{Name: renga.DefaultCredential, Version: version, User: user, Password: secret()}
}

// start makes and starts the container, and waits until it answers.
func (s *shipped) start() {
	s.t.Helper()
	memory := strconv.FormatInt(s.data.MemoryBytes, 10)
	args := []string{"--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=" + memory}
	for capability := range strings.FieldsSeq("CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID NET_BIND_SERVICE") {
		args = append(args, "--cap-add="+capability)
	}
	if s.Volume != "" {
		args = append(args, s.volume(s.Volume))
	}
	environment, err := s.RenderEnvironment(s.data)
	check(s.t, err)
	for name, value := range environment {
		args = append(args, "--env="+name+"="+value)
	}
	arguments, err := s.RenderArguments(s.data)
	check(s.t, err)
	s.create("service", append(append(args, s.image), arguments...)...)
	s.put(s.name + "-service")
	s.docker("start", s.name+"-service")
	s.ready()
}

// put writes the service's files into its container, which does not run yet.
func (s *shipped) put(container string) {
	s.t.Helper()
	files, err := s.RenderFiles(s.data)
	check(s.t, err)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		check(s.t, w.WriteHeader(&tar.Header{
			Name: strings.TrimPrefix(f.Path, "/"), Mode: 0o600, Size: int64(len(f.Content)), Uid: f.Owner, Gid: f.Owner,
		}))
		_, err := w.Write([]byte(f.Content))
		check(s.t, err)
	}
	check(s.t, w.Close())
	cmd := exec.CommandContext(s.t.Context(), "docker", "cp", "-", container+":/")
	cmd.Stdin = &b
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
}

// ready waits until the service answers: by its command or, without one, when its port does.
func (s *shipped) ready() {
	s.t.Helper()
	s.eventually("", func() (string, error) {
		if !s.Ready.IsZero() {
			_, err := s.command(s.Ready, s.data, nil)
			return "", err
		}
		conn, err := net.Dial("tcp", s.address())
		if err == nil {
			err = conn.Close()
		}
		return "", err
	})
}

// address is where this machine reaches the service.
func (s *shipped) address() string {
	s.t.Helper()
	host := s.docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", s.name+"-service")
	return net.JoinHostPort(host, strconv.Itoa(s.Port))
}

// command runs one of the service's commands and returns what it printed. Input comes after the command's own.
func (s *shipped) command(c catalogue.Command, d catalogue.Data, input []byte) (string, error) {
	s.t.Helper()
	argv, first, err := c.Render(d)
	check(s.t, err)
	args := append([]string{"exec", "--interactive", s.name + "-service"}, argv...)
	cmd := exec.CommandContext(s.t.Context(), "docker", args...)
	cmd.Stdin = strings.NewReader(first + string(input))
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s%s", err, out, said.Bytes())
	}
	return string(out), err
}

// must is command without an input, and it must go well.
func (s *shipped) must(c catalogue.Command, d catalogue.Data) string {
	s.t.Helper()
	out, err := s.command(c, d, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// vars are the config vars of a credential.
func (s *shipped) vars(c renga.Credential) renga.Vars {
	s.t.Helper()
	vars, err := s.RenderConfig(s.data.With(c))
	check(s.t, err)
	return vars
}

// client is how an app uses a service, with nothing but config vars.
type client struct {
	write   func(vars renga.Vars, value string) (string, error)
	read    func(vars renga.Vars) (string, error)
	refused string // what it is told that may not come in
	// hold is a program that stays connected for a minute, unless the service ends that; nil where it does not.
	hold func(vars renga.Vars) []string
}

// client runs a program that connects to the service over the network, with the service's image, which has one.
func (s *shipped) client(args ...string) (string, error) {
	return try(s.t.Context(), append([]string{"exec", s.name + "-service"}, args...)...)
}

// live tells that what a service's file says of credentials and data holds, with a real client.
func (s *shipped) live(c client) {
	s.t.Helper()
	first, second := credential(1), credential(2)
	wants := func(who renga.Credential, want string) {
		s.t.Helper()
		s.eventually(want, func() (string, error) { return c.read(s.vars(who)) })
	}
	refused := func(who renga.Credential) {
		s.t.Helper()
		if out, err := c.read(s.vars(who)); !strings.Contains(out, c.refused) {
			s.t.Errorf("a client that may not come in is told %q, %v; want %s", out, err, c.refused)
		}
	}
	refused(first)
	s.must(s.Revoke, s.data.With(first)) // it is not known: no error
	s.must(s.Grant, s.data.With(first))
	s.must(s.Grant, s.data.With(first)) // again
	if out, err := c.write(s.vars(first), "one"); err != nil {
		s.t.Fatalf("write: %v, %s", err, out)
	}
	wants(first, "one")
	wrong := first
	wrong.Password = secret()
	refused(wrong)

	s.must(s.Grant, s.data.With(second))
	wants(second, "one") // both live
	wants(first, "one")
	ended := s.held(c, first)
	s.must(s.Revoke, s.data.With(first))
	ended()
	s.must(s.Revoke, s.data.With(first)) // again
	refused(first)
	if out, err := c.write(s.vars(second), "two"); err != nil {
		s.t.Fatalf("write over what another credential wrote: %v, %s", err, out)
	}
	wants(second, "two")
	changed := second
	changed.Password = secret()
	s.must(s.Grant, s.data.With(changed))
	refused(second)
	wants(changed, "two")

	s.dumped(c, changed)
	s.restarted(c, changed)
	s.secrets(first.Password, second.Password, changed.Password)
}

// held connects as a client that stays. What it returns tells whether that connection has ended.
func (s *shipped) held(c client, who renga.Credential) (ended func()) {
	s.t.Helper()
	if c.hold == nil {
		return func() {}
	}
	end := make(chan error, 1)
	args := append([]string{"exec", s.name + "-service"}, c.hold(s.vars(who))...)
	ctx, cancel := context.WithTimeout(s.t.Context(), 50*time.Second)
	go func() {
		defer cancel()
		_, err := try(ctx, args...)
		end <- errors.Join(ctx.Err(), err)
	}()
	s.eventually("1", func() (string, error) {
		out, err := s.command(s.Usage["connections"], s.data, nil)
		return strings.TrimSpace(out), err
	})
	return func() {
		s.t.Helper()
		if err := <-end; errors.Is(err, context.DeadlineExceeded) {
			s.t.Error("the connections of a credential that is revoked do not end")
		}
	}
}

// dumped tells that a dump holds the data, and that a restore replaces all that there are.
func (s *shipped) dumped(c client, who renga.Credential) {
	s.t.Helper()
	if s.Dump.IsZero() {
		return
	}
	dump := s.must(s.Dump, s.data)
	reads := func(want string) {
		s.t.Helper()
		s.eventually(want, func() (string, error) { return c.read(s.vars(who)) })
	}
	for range 2 {
		if out, err := c.write(s.vars(who), "three"); err != nil {
			s.t.Fatalf("write: %v, %s", err, out)
		}
		if _, err := s.command(s.Restore, s.data, []byte("this is no dump")); err == nil {
			s.t.Error("what is no dump was restored")
		}
		reads("three")
		if _, err := s.command(s.Restore, s.data, []byte(dump)); err != nil {
			s.t.Fatal(err)
		}
		reads("two")
	}
}

// restarted tells that data with a volume outlive their container. Credentials are granted anew, as after each start.
func (s *shipped) restarted(c client, who renga.Credential) {
	s.t.Helper()
	s.docker("restart", s.name+"-service")
	s.ready()
	s.must(s.Grant, s.data.With(who))
	if s.Volume == "" {
		return
	}
	s.eventually("two", func() (string, error) { return c.read(s.vars(who)) })
	s.end("service")
	s.start()
	s.must(s.Grant, s.data.With(who))
	s.eventually("two", func() (string, error) { return c.read(s.vars(who)) })
	for measure, command := range s.Usage {
		n, err := strconv.ParseInt(strings.TrimSpace(s.must(command, s.data)), 10, 64)
		if err != nil || n < 0 || measure == "data_bytes" && n == 0 {
			s.t.Errorf("%s: %d, %v", measure, n, err)
		}
	}
}

// secrets tells that no password is in what is seen of a container from outside, or in what it logs.
func (s *shipped) secrets(passwords ...renga.Secret) {
	s.t.Helper()
	container := s.name + "-service"
	seen := s.docker("inspect", container) + s.docker("logs", container) + s.docker("top", container, "axww")
	for _, p := range passwords {
		if strings.Contains(seen, string(p)) {
			s.t.Error("a password is in the container's configuration, log or processes")
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
