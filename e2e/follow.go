package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// token is that of the script's RENGA_TOKEN, or else the operator's.
func (s *Script) token(ctx context.Context) (string, error) {
	if token := s.getenv("RENGA_TOKEN"); token != "" {
		return token, nil
	}
	return s.Platform.Token(ctx)
}

// follow begins to follow an app's log. It returns when the first line has come.
func follow(ctx context.Context, s *Script, _ io.Writer, args []string) error {
	if len(args) != 1 || s.tail != nil {
		return errors.New("usage: follow APP, once before followed")
	}
	token, err := s.token(ctx)
	if err != nil {
		return err
	}
	answer, err := s.Platform.APIAs(ctx, token, http.MethodPost, "/apps/"+args[0]+"/log-sessions", `{"tail":true,"lines":1}`)
	if err == nil {
		err = refused(answer)
	}
	if err != nil {
		return err
	}
	var session struct {
		URL string `json:"logplex_url"`
	}
	if err := json.Unmarshal(answer.Body, &session); err != nil {
		return err
	}
	u, err := url.Parse(session.URL)
	if err != nil {
		return err
	}
	return s.read(ctx, u.RequestURI())
}

func (s *Script) read(ctx context.Context, path string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Platform.URL("")+path, nil)
	if err != nil {
		return err
	}
	response, err := s.Platform.client.Do(r) //nolint:bodyclose // followed closes it
	if err != nil {
		return err
	}
	s.tail = response.Body
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the log answers %s", response.Status)
	}
	_, err = bufio.NewReaderSize(response.Body, 16).ReadString('\n')
	return err
}

// followed prints what else was followed, to its end, which is the platform's to
// make.
func followed(_ context.Context, s *Script, out io.Writer, args []string) error {
	if len(args) != 0 || s.tail == nil {
		return errors.New("usage: followed, once after follow")
	}
	_, err := io.Copy(out, s.tail)
	err = errors.Join(err, s.tail.Close())
	s.tail = nil
	return err
}
