package api

import (
	"encoding/json"
	"fmt"
	"net/http"

	"renga"
)

func (s *Server) preferenceRoutes() []Route {
	return []Route{
		Get("/users/{account}/preferences", WholeToken, s.preferences),
		Patch("/users/{account}/preferences", WholeToken, s.updatePreferences),
	}
}

// preferences are an account's on the wire, and as they are kept. The platform
// goes by none of them.
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

// longestPreferences bounds what an account may have kept for it.
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
	if err := ownAccount(r); err != nil {
		return err
	}
	p, err := preferencesOf(caller(r))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, p)
}

func (s *Server) updatePreferences(w http.ResponseWriter, r *http.Request) error {
	if err := ownAccount(r); err != nil {
		return err
	}
	changes := json.RawMessage("{}")
	if err := decode(r, &changes); err != nil {
		return err
	}
	var p preferences
	_, err := s.parts.Accounts.UpdateAccount(r.Context(), caller(r).ID, func(a *renga.Account) (err error) {
		if p, err = preferencesOf(*a); err != nil {
			return err
		}
		if err := mistyped(json.Unmarshal(changes, &p)); err != nil {
			return err
		}
		kept, err := json.Marshal(p)
		if err == nil && len(kept) > longestPreferences {
			return invalid("Preferences may take %d bytes.", longestPreferences)
		}
		a.Preferences = string(kept)
		return err
	})
	if err != nil {
		return err
	}
	s.Audit(r, "preferences updated", "")
	return answer(w, http.StatusOK, p)
}
