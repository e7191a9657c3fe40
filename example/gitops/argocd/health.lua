-- The health of a DittoServer, by its conditions, all of which are of Crossplane
-- or of the function. Argo CD itself reports one that is being deleted.

-- For each condition: its type, its status when all is well, the health otherwise,
-- and the health for a reason that is an exception. Unknown means that it goes on by itself.
local checks = {
  {"Synced", "True", "Degraded", {ReconcilePaused = "Progressing"}},
  {"ConfigReady", "True", "Degraded", {Creating = "Progressing"}},
  {"SecretsResolved", "True", "Degraded", {Creating = "Progressing"}},
  {"StorageInSync", "True", "Degraded", {}},
  {"NamesAvailable", "True", "Progressing", {Taken = "Degraded"}},
  {"DatabaseReady", "True", "Progressing", {KindMissing = "Degraded"}},
  {"ServiceMonitorReady", "True", "Degraded", {}},
  {"PrometheusRuleReady", "True", "Degraded", {}},
  {"DeletionProtectionReady", "True", "Progressing", {}},
  {"ServicesInSync", "True", "Degraded", {}},
  {"RestartPending", "False", "Progressing", {ManualPolicy = "Suspended", Refused = "Degraded"}},
  {"Progressing", "False", "Progressing", {}},
  {"Ready", "True", "Progressing", {}},
}

local metadata, status = obj.metadata or {}, obj.status or {}
local conditions = {}
for _, c in ipairs(status.conditions or {}) do
  conditions[c.type] = c
end

local function current(about)
  local generation = metadata.generation or 0
  return (about.observedGeneration or generation) >= generation
end

-- While Crossplane does nothing, the conditions may be old.
if (metadata.annotations or {})["crossplane.io/paused"] == "true" then
  return {status = "Suspended", message = "The annotation crossplane.io/paused keeps Crossplane from changing anything"}
end

-- The function's conditions do not say which generation they are of. They come with
-- status.observedGeneration, but not if Crossplane reports an error.
local synced, ready = conditions["Synced"], conditions["Ready"]
if synced == nil or not current(synced) or
    synced.status == "True" and (ready == nil or not current(ready) or not current(status)) then
  return {status = "Progressing", message = "Crossplane is about to look at this generation of the DittoServer"}
end

local found = {}
for _, check in ipairs(checks) do
  local c = conditions[check[1]]
  if c ~= nil and c.status ~= check[2] then
    local health = check[4][c.reason] or check[3]
    if c.status == "Unknown" then
      health = "Progressing"
    end
    found[health] = found[health] or {}
    table.insert(found[health], c.type .. ": " .. (c.message or c.reason))
  end
end
for _, health in ipairs({"Degraded", "Suspended", "Progressing"}) do
  if found[health] ~= nil then
    return {status = health, message = table.concat(found[health], "; ")}
  end
end

-- The phase tells of a restart a moment before the conditions do.
if status.phase ~= "Running" and status.phase ~= "Stopped" then
  return {status = "Progressing", message = "The server starts, restarts or stops"}
end
return {status = "Healthy", message = "The server is as the DittoServer says (" .. status.phase .. ")"}
