package observe

import "k8s.io/apimachinery/pkg/util/validation/field"

// ValidateChange returns what is wrong with a DittoServer that would be right for
// a new server, but not for the one that exists.
func ValidateChange(xr *Composite, have *Composed) field.ErrorList {
	if have.StatefulSet == nil || !have.StatefulSet.Keytab || xr.Spec.Identity.Kerberos != nil {
		return nil
	}
	return field.ErrorList{field.Required(field.NewPath("spec", "identity", "kerberos"),
		"the running server keeps in its database that Kerberos is on, and does not start without the keytab. "+
			"Keep the block with its references, turn Kerberos off through the server's API, and then leave of the block just enabled: false")}
}
