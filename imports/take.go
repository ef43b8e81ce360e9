package imports

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"renga"
)

// maxPushed bounds how many tags one notice may bring in.
const maxPushed = 10

// Sources are the names of the senders that are understood.
func (m *Imports) Sources() []string { return slices.Sorted(maps.Keys(sources)) }

// SecretInURL tells whether a sender can show its secret in the URL only.
func (m *Imports) SecretInURL(name string) bool { return sources[name].inURL }

// CheckRule is an error if there can be no such rule.
func (m *Imports) CheckRule(r renga.ImportRule) error {
	if _, known := sources[r.Source]; !known {
		return renga.Errorf(renga.Invalid, "%q is no kind of registry that tells of pushes; choose one of %s.",
			renga.Clip(r.Source, 50), strings.Join(m.Sources(), ", "))
	}
	host, _, ok := renga.SplitRepository(r.Repository)
	if !ok {
		return renga.Errorf(renga.Invalid, "%q names no repository; they are like ghcr.io/acme/shop.", renga.Clip(r.Repository, 100))
	}
	if err := m.refuseOwn(host); err != nil {
		return err
	}
	if err := renga.ValidateTagPattern(r.Tags); err != nil {
		return err
	}
	if err := checkServiceAccount(r); err != nil {
		return err
	}
	return checkPolling(r)
}

// checkPolling is an error if a rule cannot ask by itself as it wants to.
func checkPolling(r renga.ImportRule) error {
	switch every := r.Polling.Every; {
	case every == 0 && r.Source != renga.Polled:
		return nil
	case every < renga.MinPollEvery || every > renga.MaxPollEvery:
		return renga.Errorf(renga.Invalid, "A registry is asked every %d to %d seconds.",
			int(renga.MinPollEvery.Seconds()), int(renga.MaxPollEvery.Seconds()))
	case !renga.ValidTag(r.Tags):
		return renga.Errorf(renga.Invalid, "What is asked for is one tag, like latest; %q is a pattern of several.", r.Tags)
	}
	return nil
}

// Admit tells whether a request is from who may send notices to the rule at url. Some
// sign the body: more is true if it must be asked again with that. Who may not is
// remembered.
func (m *Imports) Admit(r *http.Request, body []byte, rule renga.ImportRule, url string) (proven, more bool) {
	from, known := sources[rule.Source]
	switch {
	case !known:
		return false, false
	case rule.ServiceAccount != "":
		proven = from.tokens && m.tokens.proves(r, url, rule.ServiceAccount)
	case from.signed && body == nil:
		return false, true
	default:
		proven = from.proof(r, body, string(rule.Secret))
	}
	if !proven {
		m.notices.refuse(r.Context(), rule, "It does not prove who sends it, or not in the way of "+rule.Source+".")
	}
	return proven, false
}

// Take takes a notice whose sender is proven. It may be told again: an import is
// ordered once for each delivery and tag.
func (m *Imports) Take(ctx context.Context, rule renga.ImportRule, h http.Header, body []byte) (renga.NoticeTaken, error) {
	told, err := sources[rule.Source].read(h, body)
	var taken renga.NoticeTaken
	if err == nil {
		taken, err = m.orderNotice(ctx, rule, told, body)
	}
	if err != nil {
		m.notices.refuse(ctx, rule, renga.MessageOf(err, "Something failed; the platform's log says what."))
		return taken, err
	}
	it := renga.ReceivedNotice{Delivery: renga.Clip(told.Delivery, 100), Decision: renga.NoticeMatched}
	if taken.Ignored != "" {
		it.Decision, it.Reason = renga.NoticeIgnored, taken.Ignored
	}
	for _, i := range taken.Imports {
		it.Imports = append(it.Imports, i.ID)
	}
	m.notices.add(ctx, rule, it)
	return taken, nil
}

// orderNotice orders what a notice tells of.
func (m *Imports) orderNotice(ctx context.Context, rule renga.ImportRule, told Notice, body []byte) (renga.NoticeTaken, error) {
	from := sources[rule.Source]
	tags, ignored := matching(rule, told)
	delivery := told.Delivery
	switch {
	case delivery != "":
	case from.nameless:
		delivery = uuid.NewString()
	default:
		sum := sha256.Sum256(body)
		delivery = hex.EncodeToString(sum[:])
	}
	taken := renga.NoticeTaken{Ignored: ignored}
	for _, tag := range tags {
		i, err := m.add(ctx, m.told(rule, delivery, tag))
		if err != nil {
			return taken, err
		}
		taken.Imports = append(taken.Imports, i)
	}
	return taken, nil
}

// told is the import that a rule asks for. Its id is made of the delivery, so that
// there is one of it.
func (m *Imports) told(rule renga.ImportRule, delivery, tag string) renga.Import {
	now := m.Now().UTC()
	host, repository, _ := renga.SplitRepository(rule.Repository) // it was checked
	return renga.Import{
		ID:  uuid.NewSHA1(uuid.MustParse(rule.ID), []byte(delivery+"\n"+tag)).String(),
		App: rule.App, Process: rule.Process, By: rule.By, Rule: rule.ID, Delivery: renga.Clip(delivery, 100),
		Image: renga.ImageRef{Host: host, Repository: repository, Tag: tag}.String(),
		State: renga.ImportMatched, CreatedAt: now, UpdatedAt: now,
	}
}

// matching are the tags of a notice that a rule is for, and if there are none, why.
func matching(rule renga.ImportRule, told Notice) (tags []string, ignored string) {
	host, repository, _ := renga.SplitRepository(rule.Repository)
	ignored = "It tells of no tag that was pushed."
	for _, p := range told.Pushed {
		itsHost, path, ok := renga.SplitRepository(p.Repository)
		switch {
		case p.Repository != repository && (!ok || itsHost != host || path != repository):
			ignored = fmt.Sprintf("%q is not the repository %s.", renga.Clip(p.Repository, 100), rule.Repository)
		case !rule.Matches(p.Tag) || !renga.ValidTag(p.Tag):
			ignored = fmt.Sprintf("The tag %q does not match %s.", renga.Clip(p.Tag, 100), rule.Tags)
		case len(tags) == maxPushed || slices.Contains(tags, p.Tag):
		default:
			tags = append(tags, p.Tag)
		}
	}
	if len(tags) > 0 {
		ignored = ""
	}
	return tags, ignored
}
