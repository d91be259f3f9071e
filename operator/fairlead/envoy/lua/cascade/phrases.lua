-- Refusals: how models say that they will not answer ---------------------------------------------------------------------
--
-- One of these stands in the first `REFUSAL_BYTES` of the text, in either case. They are whole beginnings of sentences, not
-- single words: an answer that talks of refusals is none. docs/guides/cascade.md lists the languages.

local REFUSAL_BYTES = 240

local REFUSALS = {
  -- English
  "i can't assist", "i can't help with", "i can't provide", "i can't comply", "i can't fulfill", "i can't answer",
  "i can't create", "i can't write", "i can't do that", "i can't discuss", "i can't engage",
  "i cannot assist", "i cannot help with", "i cannot provide", "i cannot comply", "i cannot fulfill", "i cannot answer",
  "i cannot create", "i cannot write", "i cannot do that", "i cannot discuss", "i cannot engage",
  "i can not assist", "i can not help with", "i can not provide", "i'm unable to", "i am unable to", "i'm not able to",
  "i am not able to", "i won't be able to", "i won't provide", "i will not provide", "i must decline", "i have to decline",
  "i'm sorry, but i can", "i'm sorry, i can't", "i'm sorry, i cannot", "i am sorry, but i can", "sorry, but i can't",
  "sorry, i can't", "sorry, i cannot", "i apologize, but i can", "as an ai language model", "as an ai assistant, i can",
  "as an ai, i can", "i'm not comfortable",
  -- German
  "tut mir leid, aber ich kann", "tut mir leid, aber dabei kann", "tut mir leid, ich kann", "leider kann ich",
  "ich kann dir dabei nicht", "ich kann ihnen dabei nicht", "dabei kann ich nicht helfen", "ich kann diese anfrage nicht",
  "ich bin nicht in der lage", "als ki-sprachmodell", "als ki kann ich",
  -- French
  "désolé, mais je ne peux", "désolée, mais je ne peux", "désolé, je ne peux", "désolée, je ne peux",
  "je suis désolé, mais je ne", "je suis désolée, mais je ne", "je ne peux pas vous aider", "je ne peux pas t'aider",
  "je ne peux pas répondre à", "je ne peux pas fournir", "je ne suis pas en mesure", "en tant qu'ia",
  "en tant que modèle de langage",
  -- Spanish
  "lo siento, pero no puedo", "lo siento, no puedo", "no puedo ayudarte con", "no puedo ayudarle con",
  "no puedo proporcionar", "no puedo cumplir", "no puedo responder a", "no me es posible", "como modelo de lenguaje",
  -- Portuguese
  "desculpe, mas não posso", "desculpe, não posso", "sinto muito, mas não posso", "lamento, mas não posso",
  "não posso ajudar com", "não posso fornecer", "não consigo ajudar com", "como modelo de linguagem",
  -- Italian
  "mi dispiace, ma non posso", "mi dispiace, non posso", "non posso aiutarti con", "non posso fornire",
  "non sono in grado di", "come modello linguistico",
  -- Dutch
  "het spijt me, maar ik kan", "sorry, maar ik kan", "ik kan je daar niet", "ik kan u daar niet",
  "ik kan hier niet bij helpen", "ik ben niet in staat", "als ai-taalmodel",
  -- Polish
  "przykro mi, ale nie mogę", "przepraszam, ale nie mogę", "nie mogę pomóc", "nie mogę udzielić", "nie jestem w stanie",
  -- Swedish, Danish, Norwegian
  "jag kan tyvärr inte", "tyvärr kan jag inte", "jeg kan desværre ikke", "desværre kan jeg ikke",
  "jeg kan dessverre ikke", "dessverre kan jeg ikke",
  -- Czech
  "omlouvám se, ale nemohu", "bohužel nemohu", "bohužel vám nemohu",
  -- Turkish
  "üzgünüm, ancak", "üzgünüm, ama", "maalesef bu konuda yardımcı olamam", "yardımcı olamıyorum",
  -- Russian
  "извините, но я не могу", "к сожалению, я не могу", "я не могу помочь", "я не могу предоставить", "я не могу ответить",
  "я не могу выполнить",
  -- Ukrainian
  "вибачте, але я не можу", "на жаль, я не можу", "я не можу допомогти",
  -- Greek
  "λυπάμαι, αλλά δεν μπορώ", "δεν μπορώ να βοηθήσω",
  -- Arabic
  "عذراً، لا أستطيع", "عذرًا، لا أستطيع", "عذرا، لا أستطيع", "آسف، لا أستطيع", "لا يمكنني مساعدتك", "لا أستطيع مساعدتك",
  -- Hindi
  "मुझे खेद है, लेकिन मैं", "क्षमा करें, मैं", "मैं इसमें मदद नहीं",
  -- Chinese
  "抱歉，我无法", "抱歉，我不能", "对不起，我无法", "对不起，我不能", "很抱歉，我无法", "很抱歉，我不能", "我无法提供",
  "我无法协助", "我不能协助", "我無法提供", "我無法協助", "作为一个人工智能", "作为ai", "作为一个ai",
  -- Japanese
  "申し訳ありませんが", "申し訳ございませんが", "お手伝いできません", "お答えできません", "対応できません",
  -- Korean
  "죄송하지만", "죄송합니다만", "도와드릴 수 없습니다", "제공할 수 없습니다",
  -- Vietnamese
  "xin lỗi, nhưng tôi không thể", "xin lỗi, tôi không thể", "rất tiếc, tôi không thể",
  -- Indonesian
  "maaf, saya tidak bisa", "maaf, saya tidak dapat", "maaf, tetapi saya tidak",
}

-- Letters of two bytes in one case, as `fairlead.ir.fold` has them.
local FOLDED = {}
do
  local letters, folded = "@letters@", "@folded@"
  for i = 1, #letters, 2 do FOLDED[sub(letters, i, i + 1)] = sub(folded, i, i + 1) end
end

local function fold(text)
  text = lower(text)
  if not find(text, "[\194-\223]") then return text end
  return (gsub(text, "[\194-\223][\128-\191]", FOLDED))
end

-- A text for the search: one case, plain apostrophes and blanks.
local function plain(text)
  return (gsub(gsub(fold(text), "\226\128[\152\153]", "'"), "[%s*_]+", " "))
end

for i = 1, #REFUSALS do REFUSALS[i] = plain(REFUSALS[i]) end

local function is_refusal(text)
  text = plain(sub(text, 1, REFUSAL_BYTES))
  for i = 1, #REFUSALS do
    if find(text, REFUSALS[i], 1, true) then return true end
  end
  return false
end
