-- The copy: what was asked, and what the shadow's target says -----------------------------------------------------------

function envoy_on_request(h)
  local record = record_of(h)
  if not record then return end
  local said = { kind = h:headers():get("content-type") }
  post(h, record, "question", said, pass(h))
end

function envoy_on_response(h)
  local record, own = record_of(h)
  if not record then return end
  local said = said_by(h:headers(), own.shadow_target)
  post(h, record, "candidate", said, pass(h))
end
