package store

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"renga"
)

// elsewhere are fields of nouns that their records do not keep, and why.
var elsewhere = map[string]string{
	"Authorization.AddOn":     "tokens of add-ons' partners are made, and not kept",
	"ReleaseRecord.Current":   "the app's head says which is the newest",
	"ReleaseRecord.Live":      "the app's head says which one serves",
	"Schedule.Last":           "the record names the run, whose own record has the rest",
	"Subject.Release.Current": "what is told of a release does not say so",

	"Subject.AddOn.Admin":          "nobody is told secrets",
	"Subject.AddOn.Credentials":    "nobody is told secrets",
	"Subject.AddOn.Partner.Config": "nobody is told secrets",
	"Subject.AddOn.Step":           "it is for those who wait",
}

// noNoun are records that no noun is kept in, and why.
var noNoun = map[string]string{
	"tokenRecord":    "leads from a token to its authorization",
	"attemptsRecord": "counts failed logins",
	"claimRecord":    "leads from a host name to its domain",
	"waitingRecord":  "is an event on its way",
	"eventRecord":    "is made of an event and its app at once; see the subject",
}

// TestRecordsLoseNothing fills every field of every noun and stores it.
func TestRecordsLoseNothing(t *testing.T) {
	s := &Store{seals: noSeals{}}
	tested := map[string]bool{}
	keeps(t, tested, func(a renga.Account) accountRecord { return accountRecord{}.with(a) },
		func(r accountRecord, _ renga.Account) renga.Account { return r.account() })
	keeps(t, tested, func(a renga.Authorization) authorizationRecord { return newAuthorizationRecord(a, "hash") },
		func(r authorizationRecord, a renga.Authorization) renga.Authorization {
			return r.authorization(a.Account, a.ID)
		})
	keeps(t, tested, newSSHKeyRecord, func(r sshKeyRecord, k renga.SSHKey) renga.SSHKey { return r.sshKey(k.ID) })
	keeps(t, tested, func(l renga.PendingLogin) loginRecord { return newLoginRecord(l, "hash") },
		func(r loginRecord, l renga.PendingLogin) renga.PendingLogin { return r.login(l.ID) })
	keeps(t, tested, newTransferRecord, func(r transferRecord,
		t renga.Transfer) renga.Transfer {
		return r.transfer(t.ID)
	})
	keeps(t, tested, newAppRecord, func(r appRecord, _ renga.App) renga.App { return r.app() })
	keeps(t, tested, newCollaboratorRecord,
		func(r collaboratorRecord, c renga.Collaborator) renga.Collaborator { return r.collaborator(c.Account) })
	keeps(t, tested, func(r renga.ReleaseRecord) releaseRecord { return newReleaseRecord(r, "push") },
		func(r releaseRecord, was renga.ReleaseRecord) renga.ReleaseRecord {
			return r.release(was.App, was.Outcome)
		})
	keeps(t, tested, newOutcomeRecord, func(r outcomeRecord, _ renga.Outcome) renga.Outcome { return r.outcome() })
	keeps(t, tested, newScaleRecord, func(r scaleRecord, _ renga.Scale) renga.Scale { return r.scale() })
	keeps(t, tested, newDynoRecord, func(r dynoRecord, d renga.Dyno) renga.Dyno { return r.dyno(d.App) })
	keeps(t, tested, newDomainRecord, func(r domainRecord, d renga.Domain) renga.Domain { return r.domain(d.App, d.ID) })
	keeps(t, tested, func(e renga.Endpoint) endpointRecord { return must(s.newEndpointRecord(e, "key")) },
		func(r endpointRecord, e renga.Endpoint) renga.Endpoint { return r.endpoint(e.App, e.ID) })
	keeps(t, tested, func(d renga.Drain) drainRecord {
		return newDrainRecord(d, must(s.seal(drainPlace(d.App, d.ID), d.URL)))
	},
		func(r drainRecord, d renga.Drain) renga.Drain {
			return must(s.openDrains(d.App, map[string]drainRecord{d.ID: r}))[0]
		})
	keeps(t, tested, func(w renga.Webhook) webhookRecord {
		return must(s.sealHook("app", w, renga.Webhook{}, webhookRecord{}))
	}, func(r webhookRecord, _ renga.Webhook) renga.Webhook { return must(s.openHook("app", r)) })
	keeps(t, tested, newBuildRecord, func(r buildRecord, b renga.Build) renga.Build { return r.build(b.App, b.ID) })
	keeps(t, tested, newImportRecord, func(r importRecord, i renga.Import) renga.Import { return r.imported(i.App, i.ID) })
	keeps(t, tested, func(l renga.SourceLogin) sourceLoginRecord { return must(s.sealLogin("app", l)) },
		func(r sourceLoginRecord, l renga.SourceLogin) renga.SourceLogin {
			return must(s.openLogin("app", l.Host, r))
		})
	keeps(t, tested, func(r renga.ImportRule) importRuleRecord { return must(s.sealImportRule(r)) },
		func(r importRuleRecord, was renga.ImportRule) renga.ImportRule {
			return must(s.openImportRule(was.App, was.ID, r))
		})
	keeps(t, tested, newNoticeRecord, func(r noticeRecord, n renga.ReceivedNotice) renga.ReceivedNotice { return r.notice(n.ID) })
	keeps(t, tested, newDeliveryRecord, func(r deliveryRecord, _ renga.Delivery) renga.Delivery { return r.delivery() })
	keeps(t, tested, func(sch renga.Schedule) scheduleRecord { return newScheduleRecord(sch, sch.Last.ID) },
		func(r scheduleRecord, sch renga.Schedule) renga.Schedule { return r.schedule(sch.App, sch.ID) })
	keeps(t, tested, newRunRecord, func(r runRecord,
		run renga.ScheduledRun) renga.ScheduledRun {
		return r.run(run.Schedule, run.ID)
	})
	keeps(t, tested, func(p renga.Pipeline) pipelineRecord { return newPipelineRecord(p, nil) },
		func(r pipelineRecord, _ renga.Pipeline) renga.Pipeline { return r.pipeline() })
	keeps(t, tested, newPromotionRecord, func(r promotionRecord,
		_ renga.Promotion) renga.Promotion {
		return r.promotion()
	})
	keeps(t, tested, func(a renga.AddOn) addOnRecord { return must(s.sealAddOn(a, renga.AddOn{}, addOnRecord{})) },
		func(r addOnRecord, _ renga.AddOn) renga.AddOn { return must(s.openAddOn(r)) })
	keeps(t, tested, newBackupRecord, func(r backupRecord, b renga.Backup) renga.Backup { return r.backup(b.App) })
	keeps(t, tested, func(sch renga.BackupSchedule) backupScheduleRecord { return backupScheduleRecord(sch) },
		func(r backupScheduleRecord, _ renga.BackupSchedule) renga.BackupSchedule { return r.schedule() })
	keeps(t, tested, newBrokenReleaseRecord, func(r brokenReleaseRecord, _ renga.BrokenRelease) renga.BrokenRelease {
		return renga.BrokenRelease(r)
	})
	keeps(t, tested, func(m renga.Minute) minuteRecord { return newMinuteRecord([]renga.Minute{m}) },
		func(r minuteRecord, _ renga.Minute) renga.Minute { return r.minutes()[0] })
	keeps(t, tested, s.wholeSubject, func(r subjectRecord, was renga.Subject) renga.Subject {
		is := r.subject(was.Dyno.App)
		// One record tells of one thing, whose app and id the event says.
		is.Backup.App = was.Backup.App
		is.Release.App, is.Domain.App, is.Endpoint.App = was.Release.App, was.Domain.App, was.Endpoint.App
		is.Endpoint.ID = was.Endpoint.ID
		return is
	})
	for _, name := range recordTypes(t) {
		if !tested[name] && noNoun[name] == "" {
			t.Errorf("nobody stores a noun as %s and reads it again: add it here", name)
		}
	}
}

// wholeSubject is a record of all that events can be about.
func (s *Store) wholeSubject(all renga.Subject) subjectRecord {
	release, scale := releaseSubject(*all.Release, all.Release.Live), scaleSubject(all.Process.Type, all.Process.Scale)
	collaborator := collaboratorSubject(all.Collaborator.Account, all.Collaborator)
	domain, endpoint := newDomainRecord(*all.Domain), must(s.newEndpointRecord(*all.Endpoint, "key"))
	addOn := addOnSubject(must(s.sealAddOn(*all.AddOn, renga.AddOn{}, addOnRecord{})))
	attachment, backup := newAttachmentRecord(*all.Attachment), newBackupRecord(*all.Backup)
	return subjectRecord{
		App: appSubject(*all.App).App, Release: release.Release, Outcome: release.Outcome, Live: release.Live,
		Dyno: dynoSubject(*all.Dyno).Dyno, Type: scale.Type, Scale: scale.Scale,
		Account: collaborator.Account, Collaborator: collaborator.Collaborator,
		ID: all.Domain.ID, Domain: &domain, Endpoint: &endpoint, AddOn: addOn.AddOn, Attachment: &attachment,
		Backup: &backup, Content: all.Content, Disk: all.Disk,
	}
}

// keeps stores a noun N whose fields are all filled as a record R, in JSON, and
// reads it again. from gets the noun for what the key says, not the record.
func keeps[N, R any](t *testing.T, tested map[string]bool, to func(N) R, from func(R, N) N) {
	t.Helper()
	note(reflect.TypeFor[R](), tested)
	t.Run(reflect.TypeFor[N]().Name(), func(t *testing.T) {
		var noun N
		new(filler).fill(reflect.ValueOf(&noun).Elem())
		text, err := json.Marshal(to(noun))
		if err != nil {
			t.Fatal(err)
		}
		record, err := decode[R]("it", string(text))
		if err != nil {
			t.Fatal(err)
		}
		compare(t, reflect.TypeFor[N]().Name(), reflect.ValueOf(noun), reflect.ValueOf(from(record, noun)))
	})
}

// note marks a type of a record, and those of its fields.
func note(t reflect.Type, seen map[string]bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		note(t.Elem(), seen)
	case reflect.Struct:
		seen[t.Name()] = true
		for _, f := range reflect.VisibleFields(t) {
			note(f.Type, seen)
		}
	}
}

// compare names each field that did not come back.
func compare(t *testing.T, path string, want, got reflect.Value) {
	t.Helper()
	switch {
	case elsewhere[path] != "":
		if !got.IsZero() {
			t.Errorf("%s is kept after all", path)
		}
	case want.Kind() == reflect.Pointer && !got.IsNil():
		compare(t, path, want.Elem(), got.Elem())
	case want.Kind() == reflect.Struct && want.Type() != reflect.TypeFor[time.Time]():
		for i := range want.NumField() {
			compare(t, path+"."+want.Type().Field(i).Name, want.Field(i), got.Field(i))
		}
	case !reflect.DeepEqual(want.Interface(), got.Interface()):
		t.Errorf("%s is lost: stored was %+v, read is %+v", path, want, got)
	}
}

// filler gives every field a value that no other has, as far as its kind has
// so many.
type filler struct{ n int64 }

func (f *filler) fill(v reflect.Value) {
	f.n++
	switch v.Kind() {
	case reflect.Struct:
		f.fillStruct(v)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.Map:
		f.fillMap(v)
	case reflect.String:
		v.SetString(fmt.Sprintf("v%04d", f.n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(float64(f.n) + 0.5)
	case reflect.Int, reflect.Int64:
		if v.Type() == reflect.TypeFor[time.Duration]() {
			v.SetInt(f.n * int64(time.Second))
			return
		}
		v.SetInt(f.n)
	default:
		panic("store: no filling for " + v.Type().String())
	}
}

func (f *filler) fillStruct(v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(1_767_323_045+f.n, f.n).UTC()))
		return
	}
	for i := range v.NumField() {
		f.fill(v.Field(i))
	}
}

// fillMap makes two entries. A collaborator's key is its account.
func (f *filler) fillMap(v reflect.Value) {
	v.Set(reflect.MakeMap(v.Type()))
	for range 2 {
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.fill(key)
		f.fill(value)
		if c, ok := value.Addr().Interface().(*renga.Collaborator); ok {
			c.Account = renga.AccountID(key.String())
		}
		v.SetMapIndex(key, value)
	}
}

// recordTypes are the names of all types here that end in Record.
func recordTypes(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok && strings.HasSuffix(spec.Name.Name, "Record") {
				all = append(all, spec.Name.Name)
			}
			return true
		})
	}
	return all
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// noSeals seals nothing: what is sealed is others' to test.
type noSeals struct{}

func (noSeals) Seal(plain, _ []byte) ([]byte, error)  { return plain, nil }
func (noSeals) Open(sealed, _ []byte) ([]byte, error) { return sealed, nil }
