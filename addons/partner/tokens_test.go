package partner_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/store/storetest"
)

// pending makes an add-on whose partner has its code, and has not used it.
func (f *fixture) pending() (renga.AddOn, string) {
	f.Helper()
	f.behave(true, true)
	a := f.create("errorbucket")
	a = f.until(a.ID, "be pending", func(a renga.AddOn) bool { return a.Partner.State == renga.PartnerPending })
	return a, f.at(a.ID).Codes[0]
}

// refused fails unless something is not given.
func (f *fixture) refused(what string, err error) {
	f.Helper()
	if renga.KindOf(err) != renga.Unauthorized {
		f.Errorf("%s: %v; want a refusal", what, err)
	}
}

func (f *fixture) exchange(code, secret string) (renga.PartnerTokens, error) {
	return f.provider.Exchange(f.Context(), code, secret)
}

func TestACodeIsGoodOnceAndForItsPartner(t *testing.T) {
	f := newFixture(t)
	a, code := f.pending()
	other := strings.ReplaceAll(clientSecret, "-1", "-2")
	for what, tried := range map[string][2]string{
		"another partner": {code, other}, "nobody": {code, ""}, "no code": {"", clientSecret},
		"another code": {"01234567-89ab-8def-8123-456789abcdef", clientSecret}, "the password": {code, password},
	} {
		_, err := f.exchange(tried[0], tried[1])
		f.refused(what, err)
	}
	tokens, err := f.exchange(code, clientSecret)
	f.must(err)
	by, err := f.provider.Bearer(t.Context(), string(tokens.Access))
	f.must(err)
	if by.Authorization.AddOn != a.ID || by.Authorization.Scopes.Allow(renga.ScopeGlobal) ||
		by.Account.Email != "errorbucket@addons.renga.localhost" {
		t.Errorf("it lets in %+v", by)
	}
	_, err = f.exchange(code, clientSecret)
	f.refused("the code again", err)
	_, err = f.provider.Renew(t.Context(), code, clientSecret)
	f.refused("the code as what renews", err)
	_, err = f.provider.Renew(t.Context(), string(tokens.Refresh), other)
	f.refused("another partner renews", err)
	_, err = f.exchange(string(tokens.Refresh), clientSecret)
	f.refused("what renews as a code", err)
	again, err := f.provider.Renew(t.Context(), string(tokens.Refresh), clientSecret)
	if err != nil || again.Refresh != tokens.Refresh {
		t.Errorf("renewed: %v", err)
	}
}

func TestACodeIsExchangedByOneOfMany(t *testing.T) {
	f := newFixture(t)
	_, code := f.pending()
	ended := make(chan error, 8)
	for range cap(ended) {
		go func() {
			_, err := f.exchange(code, clientSecret)
			ended <- err
		}()
	}
	given := 0
	for range cap(ended) {
		if err := <-ended; err == nil {
			given++
		} else if renga.KindOf(err) != renga.Unauthorized {
			t.Error(err)
		}
	}
	if given != 1 {
		t.Errorf("exchanged %d times", given)
	}
}

func TestCodesAndTokensExpire(t *testing.T) {
	f := newFixture(t)
	_, code := f.pending()
	b, later := f.pending()
	tokens, err := f.exchange(later, clientSecret)
	f.must(err)
	f.later.Store(int64(5*time.Minute + time.Second))
	_, err = f.exchange(code, clientSecret)
	f.refused("a code that has expired", err)
	_, err = f.provider.Bearer(t.Context(), string(tokens.Access))
	f.must(err)
	f.later.Store(int64(8*time.Hour + time.Second))
	_, err = f.provider.Bearer(t.Context(), string(tokens.Access))
	f.refused("a token that has expired", err)
	if _, err = f.provider.Renew(t.Context(), string(tokens.Refresh), clientSecret); err != nil {
		t.Errorf("renewed: %v", err)
	}
	f.must(f.Destroy(t.Context(), b.ID, false, ada))
	f.gone(b.ID)
	_, err = f.provider.Renew(t.Context(), string(tokens.Refresh), clientSecret)
	f.refused("what renews, of an add-on that is gone", err)
}

func TestATokenIsOfOneAddOn(t *testing.T) {
	f := newFixture(t)
	a, code := f.pending()
	b, _ := f.pending()
	tokens, err := f.exchange(code, clientSecret)
	f.must(err)
	good := string(tokens.Access)
	head, tail, _ := strings.Cut(good, "."+string(a.ID)+".")
	_ = head
	until, _, _ := strings.Cut(tail, ".")
	for what, token := range map[string]string{
		"of another add-on": strings.Replace(good, string(a.ID), string(b.ID), 1),
		"of none":           strings.Replace(good, string(a.ID), "01234567-89ab-8def-8123-456789abcdef", 1),
		"that lasts longer": strings.Replace(good, until, until+"0", 1),
		"of no form":        "renga-add-on.", "of a path": "renga-add-on.../../x.1.x", "of none at all": "",
		"cut":            good[:len(good)-1],
		"with a letter":  strings.ToUpper(good[:1]) + good[1:],
		"of no number":   strings.Replace(good, until, "x", 1),
		"of an id in {}": strings.Replace(good, string(a.ID), "{"+string(a.ID)+"}", 1),
	} {
		_, err := f.provider.Bearer(t.Context(), token)
		f.refused("a token "+what, err)
	}
	f.must(f.Deprovisioned(t.Context(), a.ID))
	f.reaches(a.ID, renga.Deprovisioned)
	_, err = f.provider.Bearer(t.Context(), good)
	f.refused("a token of what has ended", err)
}

// Nothing that opens anything is in the log.
func TestSecretsStayOutOfTheLog(t *testing.T) {
	f := newFixture(t)
	a := f.reaches(f.create("errorbucket").ID, renga.Provisioned)
	storetest.Poll(t, "tokens", func() bool { return f.at(a.ID).Access != "" })
	f.killPartner()
	_ = f.ChangePlan(t.Context(), a.ID, "errorbucket:large", ada) // it cannot be reached
	f.startPartner()
	r := f.at(a.ID)
	for _, secret := range []string{r.Access, r.Refresh, r.Codes[0], r.Password, "marker", string(a.Admin)} {
		if strings.Contains(f.log.String()+strings.Join(f.logs.All(), "\n"), secret) {
			t.Error("a secret is in a log")
		}
	}
}

func TestWhatIsNoPartnersIsNotAPartnersToChange(t *testing.T) {
	f := newFixture(t)
	a, _ := f.pending()
	value := "x"
	for name, set := range map[string]map[string]*string{
		"another prefix": {"DATABASE_URL": &value}, "the prefix alone": {"ERRORBUCKET_": &value}, "no name": {"": &value},
	} {
		if err := f.SetConfig(t.Context(), a.ID, set); renga.KindOf(err) != renga.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.must(f.db.EditAddOns(t.Context(), []renga.AddOnID{a.ID}, func(all map[renga.AddOnID]*renga.AddOn) error {
		all[a.ID].Service, all[a.ID].Plan = "heroku-redis", "mini"
		return nil
	}))
	for what, err := range map[string]error{
		"config":      f.SetConfig(t.Context(), a.ID, map[string]*string{"REDIS_URL": &value}),
		"provision":   f.Provisioned(t.Context(), a.ID),
		"deprovision": f.Deprovisioned(t.Context(), a.ID),
	} {
		if renga.KindOf(err) != renga.Forbidden {
			t.Errorf("%s of the platform's own add-on: %v", what, err)
		}
	}
}

// A partner is told nothing any more once its add-on begins to go.
func TestWebhooksEndWithTheAddOn(t *testing.T) {
	f := newFixture(t)
	a := f.reaches(f.create("errorbucket").ID, renga.Provisioned)
	hook := renga.Webhook{
		ID: "60000000-0000-4000-8000-000000000001", AddOn: a.ID, URL: f.url + "/webhooks/x", Level: renga.Sync, Secret: "s",
		Include: []renga.EventKind{renga.AppEvent}, CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}
	f.must(f.db.EditWebhooks(t.Context(), blog, func(hooks map[string]renga.Webhook) error {
		hooks[hook.ID] = hook
		return nil
	}))
	_, err := f.db.UpdateApp(t.Context(), blog, func(a *renga.App) error {
		a.Maintenance = true
		return nil
	})
	f.must(err)
	due, err := f.db.DueDeliveries(t.Context(), blog, time.Now().Add(time.Minute))
	if err != nil || len(due[hook.ID]) != 1 {
		t.Fatalf("%v, due is %v", err, due)
	}
	job, err := f.db.DeliveryJob(t.Context(), blog, hook.ID, due[hook.ID][0])
	if err != nil || job.Webhook.AddOn != a.ID {
		t.Fatalf("%v, for %s", err, job.Webhook.AddOn)
	}
	f.killPartner() // so that it cannot be removed yet
	_ = f.Destroy(t.Context(), a.ID, false, ada)
	if _, err := f.db.DeliveryJob(t.Context(), blog, hook.ID, due[hook.ID][0]); renga.KindOf(err) != renga.NotFound {
		t.Errorf("the partner is told still: %v", err)
	}
	f.startPartner()
	f.gone(a.ID)
	if hooks, err := f.db.Webhooks(t.Context(), blog); err != nil || len(hooks) > 0 {
		t.Errorf("%v, %d webhooks are left", err, len(hooks))
	}
}

func TestPeopleAreSentToThePartner(t *testing.T) {
	f := newFixture(t)
	a := f.reaches(f.create("errorbucket").ID, renga.Provisioned)
	app, err := f.db.App(t.Context(), blog)
	f.must(err)
	who := renga.Account{ID: "20000000-0000-4000-8000-000000000001", Email: "ada@example.com"}
	form, err := f.provider.SignOn(a, app, who)
	f.must(err)
	open := func(change map[string]string) (int, map[string]string) {
		values := url.Values{}
		for name, value := range form.Fields {
			values.Set(name, value)
		}
		for name, value := range change {
			values.Set(name, value)
		}
		res, err := http.PostForm(form.Action, values)
		f.must(err)
		defer res.Body.Close()
		said := map[string]string{}
		text, _ := io.ReadAll(res.Body)
		f.must(json.Unmarshal(text, &said))
		return res.StatusCode, said
	}
	if status, said := open(nil); status != http.StatusOK || said["welcome"] != who.Email || said["app"] != "blog" {
		t.Errorf("%d %v", status, said)
	}
	b := f.reaches(f.create("errorbucket").ID, renga.Provisioned)
	for _, change := range []map[string]string{
		{"email": "eve@example.com"}, {"timestamp": "1"}, {"resource_id": string(b.ID)},
	} {
		if status, said := open(change); status != http.StatusForbidden {
			t.Errorf("with %v: %d %v", change, status, said)
		}
	}
	if _, err := f.provider.SignOn(f.reaches(f.create("errorbucket:none").ID, renga.Deprovisioned), app, who); err == nil {
		t.Error("people are sent to an add-on that is not there")
	}
}
