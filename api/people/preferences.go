package people

import (
	"encoding/json"
	"fmt"
	"net/http"

	"renga"
	"renga/api/wire"
)

func (s *Server) preferenceRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/users/{account}/preferences", wire.WholeToken, s.preferences),
		wire.Patch("/users/{account}/preferences", wire.WholeToken, s.updatePreferences),
	}
}

// preferences are those of an account, as JSON and as they are stored. The platform
// uses none of them.
type preferences struct {
	DefaultOrganization             *string  `json:"default-organization"`
	DismissedGettingStarted         *bool    `json:"dismissed-getting-started"`
	DismissedGithubBanner           *bool    `json:"dismissed-github-banner"`
	DismissedOrgAccessControls      *bool    `json:"dismissed-org-access-controls"`
	DismissedOrgWizardNotification  *bool    `json:"dismissed-org-wizard-notification"`
	DismissedPipelinesBanner        *bool    `json:"dismissed-pipelines-banner"`
	DismissedPipelinesGithubBanner  *bool    `json:"dismissed-pipelines-github-banner"`
	DismissedPipelinesGithubBanners []string `json:"dismissed-pipelines-github-banners"`
	DismissedSMSBanner              *bool    `json:"dismissed-sms-banner"`
	Timezone                        *string  `json:"timezone"`
}

// longestPreferences bounds what is stored for an account.
const longestPreferences = 16 << 10

func preferencesOf(a renga.Account) (preferences, error) {
	var p preferences
	if a.Preferences == "" {
		return p, nil
	}
	if err := json.Unmarshal([]byte(a.Preferences), &p); err != nil {
		return p, fmt.Errorf("read the preferences of account %s: %w", a.ID, err)
	}
	return p, nil
}

func (s *Server) preferences(w http.ResponseWriter, r *http.Request) error {
	if err := wire.OwnAccount(r); err != nil {
		return err
	}
	p, err := preferencesOf(wire.Caller(r))
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, p)
}

func (s *Server) updatePreferences(w http.ResponseWriter, r *http.Request) error {
	if err := wire.OwnAccount(r); err != nil {
		return err
	}
	changes := json.RawMessage("{}")
	if err := wire.Decode(r, &changes); err != nil {
		return err
	}
	var p preferences
	_, err := s.parts.Accounts.UpdateAccount(r.Context(), wire.Caller(r).ID, func(a *renga.Account) (err error) {
		if p, err = preferencesOf(*a); err != nil {
			return err
		}
		if err := wire.Mistyped(json.Unmarshal(changes, &p)); err != nil {
			return err
		}
		kept, err := json.Marshal(p)
		if err == nil && len(kept) > longestPreferences {
			return wire.Invalid("Preferences may take %d bytes.", longestPreferences)
		}
		a.Preferences = string(kept)
		return err
	})
	if err != nil {
		return err
	}
	s.Audit(r, "preferences updated", "")
	return wire.Answer(w, http.StatusOK, p)
}
