package e2e

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// Starts are what the pods of all servers were started with: a template and the
// configuration that it names. They are ordered by the resource versions at which
// the API server wrote them, which are etcd's, and so comparable between objects.
type starts struct {
	cluster *cluster

	mu      sync.Mutex
	pods    map[types.UID]*started
	configs map[types.UID]*configured
	stopped map[types.UID][]int64 // When StatefulSets were seen with 0 replicas.
	excused map[types.UID]bool    // ConfigMaps that the tests have deleted.
}

// A started pod, as it was created.
type started struct {
	*corev1.Pod

	from, to int64 // To is when it was told to end, or 0.
}

// A configured ConfigMap, as it was created.
type configured struct {
	*corev1.ConfigMap

	from, to int64 // To is when it was told to end, or 0 if it was not, or nobody saw when.

	// Ended is set once it was told to end, and gone once it was deleted: Crossplane
	// deletes in the foreground, which takes a while.
	ended, gone bool
}

func countStarts(ctx context.Context, c *cluster) (*starts, error) {
	st := &starts{
		cluster: c,
		pods:    map[types.UID]*started{}, configs: map[types.UID]*configured{},
		stopped: map[types.UID][]int64{}, excused: map[types.UID]bool{},
	}
	f := informers.NewSharedInformerFactory(c, 0)
	pods, configs := f.Core().V1().Pods().Informer(), f.Core().V1().ConfigMaps().Informer()
	if err := each(pods, st.sawPod); err != nil {
		return nil, err
	}
	if err := each(configs, st.sawConfig); err != nil {
		return nil, err
	}
	if err := each(f.Apps().V1().StatefulSets().Informer(), st.sawStatefulSet); err != nil {
		return nil, err
	}
	for _, i := range []cache.SharedIndexInformer{pods, configs} {
		if _, err := i.AddEventHandler(cache.ResourceEventHandlerFuncs{DeleteFunc: st.deleted}); err != nil {
			return nil, fmt.Errorf("cannot watch: %w", err)
		}
	}
	f.Start(ctx.Done())
	f.WaitForCacheSync(ctx.Done())
	return st, nil
}

// ConfigMaps that are named by their content.
var contentName = regexp.MustCompile(`-config-[0-9a-f]{10}$`)

func (st *starts) sawPod(p *corev1.Pod) {
	if _, ok := statefulSetOf(p); !ok || !contentName.MatchString(configMapOf(&p.Spec)) {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.pods[p.UID] == nil {
		st.pods[p.UID] = &started{Pod: p, from: version(p)}
	}
	if s := st.pods[p.UID]; p.DeletionTimestamp != nil && s.to == 0 {
		s.to = version(p)
	}
}

func (st *starts) sawConfig(cm *corev1.ConfigMap) {
	if !contentName.MatchString(cm.Name) {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.configs[cm.UID] == nil {
		st.configs[cm.UID] = &configured{ConfigMap: cm, from: version(cm)}
	}
	if cm.DeletionTimestamp != nil {
		st.configs[cm.UID].end(version(cm))
	}
}

func (st *starts) sawStatefulSet(ss *appsv1.StatefulSet) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if *ss.Spec.Replicas == 0 {
		st.stopped[ss.UID] = append(st.stopped[ss.UID], version(ss))
	}
}

func (st *starts) deleted(o any) {
	at := version
	if t, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o, at = t.Obj, func(metav1.Object) int64 { return 0 }
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	switch o := o.(type) {
	case *corev1.Pod:
		if s := st.pods[o.UID]; s != nil && s.to == 0 {
			s.to = at(o)
		}
	case *corev1.ConfigMap:
		if c := st.configs[o.UID]; c != nil {
			c.end(at(o))
			c.gone = true
		}
	}
}

// end notes that a ConfigMap was told to end, the first time that it is seen.
func (c *configured) end(at int64) {
	if !c.ended {
		c.to, c.ended = at, true
	}
}

// excuse ConfigMaps that the tests are about to delete: their pods do without.
func (st *starts) excuse(uids ...types.UID) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, u := range uids {
		st.excused[u] = true
	}
}

// What is seen of pods that were all started as they should be.
const startedWell = "each pod with what was rendered for it"

// of says whether every pod that was ever started in a namespace, or in all, had a
// configuration that was there and was rendered together with its template.
func (st *starts) of(ctx context.Context, ns string) (string, error) {
	if err := await(ctx, "the watches of pods and ConfigMaps to catch up", func(ctx context.Context) error { return st.caughtUp(ctx, ns) }); err != nil {
		return "", err
	}
	wrong, n := st.wrong(ns)
	switch {
	case n == 0:
		return "no pod was seen", nil
	case len(wrong) == 0:
		return startedWell, nil
	}
	// What goes away with a DittoServer goes in any order.
	for _, w := range wrong {
		if w.owner != nil {
			r, err := st.cluster.kind(w.owner.APIVersion, w.owner.Kind, w.ns)
			if err != nil {
				return "", err
			}
			if o, err := r.Get(ctx, w.owner.Name, metav1.GetOptions{}); err != nil || o.GetUID() != w.owner.UID || o.GetDeletionTimestamp() != nil {
				continue
			}
		}
		return w.what, nil
	}
	return startedWell, nil
}

// caughtUp returns an error if the API server has what the watches have not
// delivered.
func (st *starts) caughtUp(ctx context.Context, ns string) error {
	pods, err := st.cluster.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("cannot list pods: %w", err)
	}
	cms, err := st.cluster.CoreV1().ConfigMaps(ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("cannot list ConfigMaps: %w", err)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, p := range pods.Items {
		if _, ok := statefulSetOf(&p); ok && st.pods[p.UID] == nil && contentName.MatchString(configMapOf(&p.Spec)) {
			return fmt.Errorf("pod %s was not seen", p.UID)
		}
	}
	there := map[types.UID]bool{}
	for _, cm := range cms.Items {
		there[cm.UID] = true
		if !contentName.MatchString(cm.Name) {
			continue
		}
		switch c := st.configs[cm.UID]; {
		case c == nil:
			return fmt.Errorf("ConfigMap %s was not seen", cm.Name)
		case cm.DeletionTimestamp != nil && !c.ended:
			return fmt.Errorf("ConfigMap %s was not seen to be told to end", cm.Name)
		}
	}
	for uid, c := range st.configs {
		if (ns == "" || c.Namespace == ns) && !there[uid] && !c.gone {
			return fmt.Errorf("ConfigMap %s was not seen to be deleted", c.Name)
		}
	}
	return nil
}

// Something wrong that was seen.
type wrong struct {
	ns, what string
	owner    *metav1.OwnerReference // If it is right once that is deleted.
}

func (st *starts) wrong(ns string) (all []wrong, pods int) {
	st.mu.Lock()
	defer st.mu.Unlock()
	named := map[[3]string][]string{} // ConfigMaps by the hashes that they were named with.
	for _, p := range st.pods {
		if ns != "" && p.Namespace != ns {
			continue
		}
		pods++
		name := configMapOf(&p.Spec)
		say := func(owner *metav1.OwnerReference, format string, args ...any) {
			all = append(all, wrong{ns: p.Namespace, owner: owner, what: fmt.Sprintf("pod %s/%s of revision %s, created at %d, reads ConfigMap %s: ",
				p.Namespace, p.Name, p.Labels[appsv1.ControllerRevisionHashLabelKey], p.from, name) + fmt.Sprintf(format, args...)})
		}

		var cms []*configured
		there := false
		for _, c := range st.configs {
			if c.Namespace != p.Namespace || c.Name != name || c.ended && c.to != 0 && c.to < p.from {
				continue
			}
			cms = append(cms, c)
			there = there || c.from < p.from
			if c.ended && c.to > p.from && (p.to == 0 || c.to < p.to) && !st.excused[c.UID] {
				say(metav1.GetControllerOf(c), "that was deleted at %d, and the pod ran until %d", c.to, p.to)
			}
			if port := apiPort(c.Data["config.yaml"]); port != containerPort(&p.Spec) {
				say(nil, "it says port %d, the template %d", port, containerPort(&p.Spec))
			}
		}
		excused := slices.ContainsFunc(cms, func(c *configured) bool { return st.excused[c.UID] })
		if !there && !excused && (len(cms) == 0 || st.replaced(p)) {
			say(nil, "that was not there")
		}
		sts, _ := statefulSetOf(p)
		key := [3]string{sts.Namespace, sts.Name, p.Annotations[hashAnnotation]}
		if !slices.Contains(named[key], name) {
			named[key] = append(named[key], name)
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(named), func(a, b [3]string) int { return slices.Compare(a[:], b[:]) }) {
		if len(named[key]) > 1 {
			all = append(all, wrong{ns: key[0], what: fmt.Sprintf("pods of %s/%s with the hash %s read %v", key[0], key[1], key[2], named[key])})
		}
	}
	return all, pods
}

// replaced says whether a pod took the place of another one. One that did not may
// wait for its ConfigMap: its server is created, or started again, beside it.
func (st *starts) replaced(p *started) bool {
	uid := metav1.GetControllerOf(p).UID
	before := int64(-1)
	for _, o := range st.pods {
		if metav1.GetControllerOf(o).UID == uid && o.from < p.from {
			before = max(before, o.from)
		}
	}
	return before >= 0 && !slices.ContainsFunc(st.stopped[uid], func(at int64) bool { return before < at && at < p.from })
}

// version returns an object's resource version.
func version(o metav1.Object) int64 {
	n, err := strconv.ParseInt(o.GetResourceVersion(), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// apiPort is the port of the API that a config.yaml says.
func apiPort(config string) int32 {
	var c struct {
		ControlPlane struct {
			Port int32 `json:"port"`
		} `json:"controlplane"`
	}
	if err := yaml.Unmarshal([]byte(config), &c); err != nil {
		return -1
	}
	return c.ControlPlane.Port
}

// containerPort is the port of the API that a pod's template says.
func containerPort(p *corev1.PodSpec) int32 {
	for _, c := range p.Containers {
		for _, port := range c.Ports {
			if port.Name == "api" {
				return port.ContainerPort
			}
		}
	}
	return 0
}
