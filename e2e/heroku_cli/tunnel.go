package herokucli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"

	"renga/e2e"
)

// socksPort is where ps:socks and ps:forward have their proxy, always.
const socksPort = "1080"

// tunnel asks through a command of the CLI that goes on until it is ended.
func tunnel(ctx context.Context, bin string, s *e2e.Script, out io.Writer, args []string) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if len(args) > 0 && args[0] == "-socks" {
		proxy := &url.URL{Scheme: "socks5h", Host: "127.0.0.1:" + socksPort}
		client.Transport = &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyURL(proxy)}
		args = args[1:]
	}
	i := slices.Index(args, "--")
	if i < 1 {
		return errors.New("usage: tunnel [-socks] URL… -- ARGS…")
	}
	unlock, err := e2e.Lock("port-" + socksPort)
	if err != nil {
		return err
	}
	defer unlock()
	running, kill := context.WithCancelCause(ctx)
	defer kill(nil)
	var printed bytes.Buffer
	ended := make(chan struct{})
	go func() { // ends with kill
		defer close(ended)
		kill(user(running, bin, s, nil, &printed, &printed, "heroku", args[i+1:]...))
	}()
	err = e2e.Poll(running, func() error {
		_, err := body(running, client, args[0])
		return err
	})
	for _, asked := range args[:i] {
		text, askErr := body(running, client, asked)
		if askErr != nil {
			text = fmt.Sprintln("no answer:", askErr)
		}
		fmt.Fprintf(out, "%s: %s", asked, text)
	}
	kill(nil)
	<-ended
	fmt.Fprint(out, printed.String())
	return err
}

// body is what a URL answers.
func body(ctx context.Context, client *http.Client, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(response.Body)
	return string(text), errors.Join(err, response.Body.Close())
}
