package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// words are those that every script may use; the package comment says what each
// does.
func words() map[string]Word {
	return map[string]Word{
		"renga": renga, "image": image, "push": push, "api": api, "login": login, "curl": curl, "tls": showTLS,
		"containers": containers, "logs": logs, "follow": follow, "followed": followed, "docker": docker, "redis": redis,
		"capture": capture, "waitfor": waitfor, "waitup": waitup, "waitgone": waitgone,
	}
}

func renga(ctx context.Context, s *Script, out io.Writer, args []string) error {
	if len(args) == 0 {
		return errors.New("usage: renga start|launch|stop|kill|restart|log|run …")
	}
	switch rest := args[1:]; args[0] {
	case "start":
		return s.Platform.Start(ctx, rest...)
	case "launch":
		return s.Platform.Launch(rest...)
	case "stop":
		return s.Platform.Stop()
	case "kill":
		return s.Platform.Kill()
	case "restart":
		return s.Platform.Restart(ctx)
	case "log":
		fmt.Fprint(out, s.Platform.Log())
		return nil
	case "run":
		stdout, stderr, err := s.Platform.Run(ctx, rest...)
		fmt.Fprint(out, stdout, stderr)
		return err
	}
	return fmt.Errorf("renga %s: no such word", args[0])
}

// pairs collects flags of the form -name k=v.
type pairs []string

func (p *pairs) String() string     { return strings.Join(*p, " ") }
func (p *pairs) Set(s string) error { *p = append(*p, s); return nil }

func image(ctx context.Context, s *Script, _ io.Writer, args []string) error {
	var spec Image
	var labels, env pairs
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.Var(&labels, "label", "k=v")
	flags.Var(&env, "env", "k=v")
	flags.StringVar(&spec.Platform, "platform", "", "os/arch")
	flags.BoolVar(&spec.Bare, "bare", false, "no command")
	zeros := flags.Int("zeros", 0, "bytes of a file of zeros")
	check := flags.String("healthcheck", "", "VERB ARGS…")
	shell := flags.Bool("shell", false, "with /bin/sh")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("usage: image [flags] NAME [VERB ARGS…]")
	}
	spec.Version, spec.Command, spec.Env = flags.Arg(0), flags.Args()[1:], env
	spec.HealthCheck = strings.Fields(*check)
	if *shell {
		var err error
		if spec.Files, err = ShellFiles(ctx); err != nil {
			return err
		}
	}
	if *zeros > 0 {
		spec.Files = map[string][]byte{"zeros": make([]byte, *zeros)}
	}
	spec.Labels = map[string]string{}
	for _, label := range labels {
		name, value, _ := strings.Cut(label, "=")
		spec.Labels[name] = value
	}
	img, err := s.Platform.Image(spec)
	s.images[spec.Version] = img
	return err
}

func push(ctx context.Context, s *Script, out io.Writer, args []string) error {
	how := ""
	if len(args) == 3 {
		how, args = args[0], args[1:]
	}
	if len(args) != 2 {
		return errors.New("usage: push [docker|crane] NAME REPOSITORY")
	}
	img, ok := s.images[args[0]]
	if !ok {
		return fmt.Errorf("no image %q was made", args[0])
	}
	var printed string
	var err error
	switch how {
	case "":
		err = s.Platform.PushImage(ctx, args[1], img)
	case "docker":
		printed, err = s.Platform.DockerPush(ctx, args[1], img)
	case "crane":
		printed, err = s.Platform.CranePush(ctx, args[1], img)
	default:
		err = fmt.Errorf("no such client: %s", how)
	}
	fmt.Fprint(out, printed)
	return err
}

// api asks as the operator, or with the token in the script's RENGA_TOKEN.
func api(ctx context.Context, s *Script, out io.Writer, args []string) error {
	if len(args) < 2 || len(args) > 3 {
		return errors.New("usage: api METHOD PATH [BODY]")
	}
	token, err := s.token(ctx)
	if err != nil {
		return err
	}
	var body []byte
	if len(args) == 3 {
		body = []byte(args[2])
	}
	q := apiRequest(token, args[0], args[1], body)
	if key := s.getenv("IDEMPOTENCY_KEY"); key != "" {
		q.Header.Set("Idempotency-Key", key)
	}
	answer, err := s.Platform.Do(ctx, q)
	if err != nil {
		return err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, answer.Body); err != nil {
		compact.Reset()
		compact.Write(answer.Body)
	}
	fmt.Fprintf(out, "%d\n%s\n", answer.Status, compact.String())
	if warning := answer.Header.Get("Warning"); warning != "" {
		fmt.Fprintln(out, "Warning: "+warning)
	}
	return refused(answer)
}

// login makes a token out of an email and a password, as heroku login does.
func login(ctx context.Context, s *Script, out io.Writer, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: login EMAIL PASSWORD")
	}
	basic := base64.StdEncoding.EncodeToString([]byte(args[0] + ":" + args[1]))
	answer, err := s.Platform.Do(ctx, Request{
		Method: "POST", Path: "/oauth/authorizations", Body: []byte(`{"scope":["global"],"expires_in":2592000}`),
		Header: http.Header{"Authorization": {"Basic " + basic}, "Content-Type": {"application/json"}},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d\n%s", answer.Status, answer.Body)
	return refused(answer)
}

func curl(ctx context.Context, s *Script, out io.Writer, args []string) error {
	flags := flag.NewFlagSet("curl", flag.ContinueOnError)
	headers := flags.Bool("i", false, "print the headers too")
	anyStatus := flags.Bool("any", false, "let every status pass")
	times := flags.Int("times", 1, "how often to ask; the last answer is printed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if args = flags.Args(); len(args) != 2 {
		return errors.New("usage: curl [-i] [-any] [-times=N] HOST PATH")
	}
	var answer Answer
	for range *times {
		var err error
		if answer, err = s.Platform.Get(ctx, args[0], args[1]); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, answer.Status)
	if *headers {
		_ = answer.Header.Write(out) // a buffer
	}
	fmt.Fprintf(out, "%s", answer.Body)
	if *anyStatus {
		return nil
	}
	return refused(answer)
}

// refused is an error for a status of 400 and above.
func refused(a Answer) error {
	if a.Status < 400 {
		return nil
	}
	return fmt.Errorf("answered %d", a.Status)
}

// showTLS prints whose certificate a host is served with.
func showTLS(ctx context.Context, s *Script, out io.Writer, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: tls HOST")
	}
	// The certificate is what is asked for, whoever signed it.
	d := tls.Dialer{Config: &tls.Config{ServerName: args[0], InsecureSkipVerify: true}}
	conn, err := d.DialContext(ctx, "tcp", s.Platform.TLSAddr)
	if err != nil {
		return err
	}
	leaf := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	fmt.Fprintf(out, "subject=%s\nissuer=%s\nnames=%s\n", leaf.Subject, leaf.Issuer, strings.Join(leaf.DNSNames, " "))
	return conn.Close()
}

func containers(ctx context.Context, s *Script, out io.Writer, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: containers APP")
	}
	dynos, err := s.Platform.Containers(ctx, args[0])
	for _, d := range dynos {
		fmt.Fprintf(out, "%s v%d %s\n", d.Dyno, d.Release, d.ID[:12])
	}
	return err
}

// logs prints the app's log.
func logs(ctx context.Context, s *Script, out io.Writer, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: logs APP")
	}
	token, err := s.Platform.Token(ctx)
	if err != nil {
		return err
	}
	var session struct {
		URL string `json:"logplex_url"`
	}
	answer, err := s.Platform.APIAs(ctx, token, "POST", "/apps/"+args[0]+"/log-sessions", `{"lines":1500}`)
	if err == nil {
		err = json.Unmarshal(answer.Body, &session)
	}
	if err != nil {
		return err
	}
	u, err := url.Parse(session.URL)
	if err != nil {
		return err
	}
	answer, err = s.Platform.Do(ctx, Request{Path: u.RequestURI()})
	fmt.Fprintf(out, "%s", answer.Body)
	return err
}

func docker(ctx context.Context, s *Script, out io.Writer, args []string) error {
	printed, err := s.Platform.Docker(ctx, args...)
	fmt.Fprint(out, printed)
	return err
}

func redis(ctx context.Context, s *Script, out io.Writer, args []string) error {
	sockets, err := filepath.Glob(filepath.Join(s.Platform.Dir, "redis", "*.sock"))
	if err != nil || len(sockets) != 1 {
		return fmt.Errorf("want one Redis socket, have %q: %w", sockets, err)
	}
	printed, err := exec.CommandContext(ctx, "redis-cli", append([]string{"-s", sockets[0]}, args...)...).CombinedOutput()
	fmt.Fprintf(out, "%s", printed)
	return err
}

func capture(_ context.Context, s *Script, out io.Writer, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: capture NAME PATTERN")
	}
	fmt.Fprint(out, s.last) // for the next word to look at
	pattern, err := regexp.Compile("(?m)" + args[1])
	if err != nil {
		return err
	}
	found := pattern.FindStringSubmatch(s.last)
	if len(found) != 2 {
		return fmt.Errorf("no match of %q with one group in:\n%s", args[1], s.last)
	}
	s.setenv(args[0], found[1])
	return nil
}

func waitfor(ctx context.Context, s *Script, out io.Writer, args []string) error {
	var patterns []*regexp.Regexp
	if i := slices.Index(args, "--"); i >= 0 {
		for _, text := range args[i+1:] {
			pattern, err := regexp.Compile("(?m)" + text)
			if err != nil {
				return err
			}
			patterns = append(patterns, pattern)
		}
		args = args[:i]
	}
	if len(args) == 0 || s.words[args[0]] == nil {
		return errors.New("usage: waitfor WORD ARGS… [-- PATTERN…]")
	}
	var last string
	err := Poll(ctx, func() error {
		var printed strings.Builder
		err := s.words[args[0]](ctx, s, &printed, args[1:])
		last = printed.String()
		for _, pattern := range patterns {
			if err == nil && !pattern.MatchString(last) {
				err = fmt.Errorf("no match of %q", pattern)
			}
		}
		return err
	})
	fmt.Fprint(out, last)
	return err
}

func waitup(ctx context.Context, s *Script, out io.Writer, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: waitup HOST TEXT")
	}
	return waitfor(ctx, s, out, []string{"curl", args[0], "/", "--", regexp.QuoteMeta(args[1])})
}

func waitgone(ctx context.Context, s *Script, _ io.Writer, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: waitgone CONTAINER")
	}
	return Poll(ctx, func() error {
		running, err := s.Platform.Docker(ctx, "ps", "--quiet", "--filter", "id="+args[0])
		if err == nil && strings.TrimSpace(running) != "" {
			err = fmt.Errorf("container %s runs on", args[0])
		}
		return err
	})
}
