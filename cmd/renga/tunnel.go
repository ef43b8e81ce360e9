package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"renga"
	"renga/attach"
)

// tunnelUsage is how renga tunnel is called.
const tunnelUsage = "usage: renga tunnel [--port PORT] -a APP ADD-ON"

// openTunnel listens on a port of this machine and connects whoever comes there to an
// add-on, through the platform. It needs no more than what `renga env` prints.
func openTunnel(ctx context.Context, p *program, args []string) error {
	flags := flag.NewFlagSet("renga tunnel", flag.ContinueOnError)
	flags.SetOutput(p.err)
	var app string
	port := flags.Int("port", 0, "port to listen on, at 127.0.0.1; a free one when 0")
	flags.StringVar(&app, "a", "", "app that has the add-on attached")
	flags.StringVar(&app, "app", "", "the same")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if app == "" || flags.NArg() != 1 || *port < 0 || *port > 1<<16-1 {
		return errors.New(tunnelUsage)
	}
	t, err := p.newTunnel(app, flags.Arg(0))
	if err != nil {
		return err
	}
	if err := t.open(ctx); err != nil {
		return err
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", fmt.Sprint(*port)))
	if err != nil {
		return fmt.Errorf("%w: choose another port with --port", err)
	}
	if err := t.tell(p.out, l.Addr()); err != nil {
		return errors.Join(err, l.Close())
	}
	return t.serve(ctx, l)
}

// tunnel leads to an add-on.
type tunnel struct {
	api   *url.URL
	token string
	path  string // of the API's route
	err   io.Writer

	mu     sync.Mutex
	opened tunnelAnswer
}

// tunnelAnswer is what the API answers.
type tunnelAnswer struct {
	AddOn struct {
		Name string `json:"name"`
	} `json:"addon"`
	Name         string `json:"name"`
	URL          string `json:"url"`
	WebsocketURL string `json:"websocket_url"`
	Message      string `json:"message"` // of an error
}

// newTunnel is one to the platform that the environment names.
func (p *program) newTunnel(app, addOn string) (*tunnel, error) {
	at, token := p.getenv("RENGA_URL"), p.getenv("RENGA_TOKEN")
	if at == "" || token == "" {
		return nil, errors.New(`no platform is named: run eval "$(renga env)", or set RENGA_URL and RENGA_TOKEN`)
	}
	api, err := url.Parse(at)
	if err != nil || api.Host == "" || api.Scheme != "http" && api.Scheme != "https" {
		return nil, errors.New("RENGA_URL is no URL of an API, such as https://api.example.com")
	}
	return &tunnel{
		api: api, token: token, path: "/apps/" + url.PathEscape(app) + "/addons/" + url.PathEscape(addOn) + "/tunnel", err: p.err,
	}, nil
}

// askTime bounds a question to the API.
const askTime = 30 * time.Second

// open asks the API for the way.
func (t *tunnel) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.api.Scheme+"://"+t.api.Host+t.path, http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+t.token)
	request.Header.Set("Accept", "application/vnd.heroku+json; version=3")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return err
	}
	var said tunnelAnswer
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&said); err != nil {
		return fmt.Errorf("%s: the API's answer is not understood: %w", answer.Status, err)
	}
	if answer.StatusCode != http.StatusCreated {
		return errors.New(said.Message)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opened = said
	return nil
}

// tell prints the URL to use.
func (t *tunnel) tell(out io.Writer, at net.Addr) error {
	u, err := url.Parse(t.opened.URL)
	if err != nil {
		return errors.New("the add-on's URL is none") // it may have a password
	}
	u.Host = at.String()
	_, err = fmt.Fprintf(out, "%s is at %s until this ends.\n%s=%s\n", t.opened.AddOn.Name, at, t.opened.Name, u)
	return err
}

// serve connects clients until ctx ends or the right to the add-on has.
func (t *tunnel) serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { _ = l.Close() })() // it is being closed
	var clients sync.WaitGroup
	defer clients.Wait()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
				return cause
			}
			return nil
		}
		if err != nil {
			return err
		}
		clients.Go(func() {
			defer func() { _ = conn.Close() }() // it was read and written to the end
			if err := t.connect(ctx, conn.(*net.TCPConn)); renga.KindOf(err) == renga.NotFound {
				cancel(err)
			} else if err != nil {
				fmt.Fprintln(t.err, "renga tunnel: "+err.Error())
			}
		})
	}
}

// connect connects one client. A way that has ended is asked for anew.
func (t *tunnel) connect(ctx context.Context, client *net.TCPConn) error {
	far, err := t.dial(ctx)
	if renga.KindOf(err) == renga.NotFound {
		if err := t.open(ctx); err != nil {
			return renga.Errorf(renga.NotFound, "%s", err)
		}
		far, err = t.dial(ctx)
	}
	if err != nil {
		return err
	}
	end := func() {
		_ = far.Close() // both may have ended
		_ = client.Close()
	}
	defer end()
	defer context.AfterFunc(ctx, end)()
	back := make(chan struct{})
	go func() { // ends with the connection
		defer close(back)
		pass(client, far)
	}()
	pass(far, client)
	<-back
	return nil
}

// pass copies one way, and ends both when that fails.
func pass(to, from attach.Socket) {
	_, err := io.Copy(struct{ io.Writer }{to}, struct{ io.Reader }{from})
	if err != nil || to.CloseWrite() != nil {
		_ = errors.Join(to.Close(), from.Close()) // what failed already
	}
}

// dial connects to the add-on. The API's own address is the way, for this machine
// may not know its name.
func (t *tunnel) dial(ctx context.Context) (attach.Socket, error) {
	t.mu.Lock()
	to, err := url.Parse(t.opened.WebsocketURL)
	t.mu.Unlock()
	if err != nil {
		return nil, err
	}
	to.Scheme, to.Host = strings.Replace(t.api.Scheme, "http", "ws", 1), t.api.Host
	return attach.DialService(ctx, http.DefaultClient, to.String())
}
