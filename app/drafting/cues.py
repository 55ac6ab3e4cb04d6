"""The words by which the embedded drafter tells kinds of statements apart: English, and a little Spanish."""

import re


def _words(patterns: str) -> re.Pattern[str]:
    """Whole words that match one of the patterns, which stand apart by white space; `_` is a space inside one."""
    return re.compile(r"\b(?:" + "|".join(patterns.split()).replace("_", " ") + r")\b", re.IGNORECASE)


SYMPTOM = _words(
    r"""
    pain\w* hurt\w* ach\w+ sore cough\w* fever\w* chills? nause\w+ vomit\w* dizz\w+ tired fatigue\w* swell\w*
    swollen short(?:ness)?_of_breath breath\w* wheez\w* itch\w* rash numb\w* tingl\w* weak\w* headache\w*
    migraine\w* bleed\w* burn\w* sleep\w* weight anxi\w+ depress\w+ stress\w* mood worr\w+ appetite diarrhea
    constipat\w+ stomach worse better symptom\w* blood_(?:pressure|sugar) sugars? medicat\w+ pills? inhaler smok\w+
    allerg\w+ dolor duele tos fiebre mareo\w* cansad[oa] náuseas? hinchad[oa] picaz[oó]n
    heartburn taste won't_go_away tried
    """
)
TIME = _words(
    r"""
    days? weeks? months? years? hours? at_night mornings? since yesterday
    last_(?:night|week|month|year) every_(?:day|night|morning|week) started when_i hace desde ayer semanas? d[ií]as?
    """
)
EXAM = _words(
    r"""
    lungs? heart_(?:sounds?|rate) murmur\w* abdomen belly_is edema tender\w* range_of_motion auscultation
    on_(?:your_|physical_)?exam\w* reflex\w* pupils? tonsils? lymph_nodes? throat_(?:is|looks)
    ear_(?:drums?|canals?) strength_(?:is|in) gait skin_(?:is|looks) regular_rate sound(?:s)?_clear crackles? rales
    rhonchi gallops? pulses? swelling_(?:in|over|around) effusion crepitus
    """
)
EXAM_REPORT = _words(
    r"""
    on_(?:your_|the_|\w+_|\w+_\w+_)?exam(?:ination)? physical_exam(?:ination)?
    """
)
PRESENTATION = _words(
    r"""
    \d+[_-]year[_-]old past_medical_history presents?_(?:today|for|with|here)
    """
)
PLAN = _words(
    r"""
    let's let_us we(?:'ll|_will|_are_going_to|'re_going_to) i(?:'m_going_to|'ll|_will|_am_going_to)
    i(?:'d|_would)_like_(?:you_)?to i_want_you_to go_ahead_and start(?:ing)?_you_on increase decrease continue
    keep_(?:taking|you_on) stop_taking order(?:ing)? refer(?:ral|ring)? prescri\w+ follow[_-]?up come_back
    see_you_(?:back|again|in) return_in schedule recommend call_(?:us|me|the_office)_if go_to_the_(?:er|emergency)
    """
)
ACTION = _words(
    r"""
    \d+_?(?:mg|milligrams?|mcg|units|ml) milligrams? mg micrograms? start\w* increase decrease stop continue
    order\w* refer\w* prescri\w+ x-?ray ct mri ultrasound ekg ecg echo\w* labs? blood_(?:work|test) follow[_-]?up
    come_back see_you antibiotic\w* inhaler physical_therapy vaccin\w* shot screening colonoscopy mammogram weeks?
    months? days taper switch twice daily
    """
)
ASSESSMENT = _words(
    r"""
    i_think_(?:this|it|that|you|your|we) consistent_with most_likely looks_like_(?:you|it|a|this) diagnos\w+
    suspect\w* i(?:'m|_am)_(?:worried|concerned|not_worried)_about this_(?:is|sounds_like|looks_like)
    well_controlled not_(?:well_)?controlled leading_thought impression under_control stable due_to
    """
)
ANSWER_NO = re.compile(
    r"^\W*(?:no|nope|nah|not? (?:that|really|at all)|none|never|haven't|hasn't|i don't|i haven't|nothing)\b",
    re.IGNORECASE,
)
ANSWER_YES = re.compile(r"^\W*(?:yes|yeah|yep|sí|si|i do|i have|a little|sometimes|some)\b", re.IGNORECASE)
ASKED_ABOUT = _words(
    r"""
    any do_you_(?:have|smoke|drink|take) have_you_(?:had|noticed|been|felt|ever) are_you_(?:having|taking|feeling)
    allerg\w+ smoking taking tiene ha_tenido
    """
)
SMALL_TALK = _words(
    r"""
    how_are_you nice_to_(?:see|meet) good_(?:morning|afternoon) thank_you thanks weather have_a_(?:good|great|nice)
    bye dax you're_welcome weekend football vacation recording sounds_good take_care
    """
)
# "Right", "well" and "good" are fillers only before a comma: "right knee" and "well controlled" are findings.
LEADING_FILLER = re.compile(
    r"^(?:(?:okay|ok|all right|alright|so|um+|uh+|yeah|yes|and|but|now|then|mm-?hmm|hmm|oh|you know|i mean"
    r"|(?:right|well|like|good|great)(?=\s*[,.]))\b[\s,.]*)+",
    re.IGNORECASE,
)
INNER_FILLER = re.compile(r"(?:(?<=\s)|^),?\s*\b(?:um+|uh+|you know|i mean)\b\s*,?", re.IGNORECASE)
