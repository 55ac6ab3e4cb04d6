from app.drafting.transcript import read_turns

TIMED = "[00:02] [doctor] good morning. any fever?\n[00:06] [patient] no, no fever.\n"


def test_each_sentence_knows_its_exact_place() -> None:
    for turn in read_turns(TIMED):
        for sentence in turn.sentences:
            assert TIMED[sentence.start : sentence.end] == sentence.text


def test_times_speakers_and_questions_are_read() -> None:
    doctor, patient = read_turns(TIMED)
    assert (doctor.clinician, patient.clinician) == (True, False)
    assert doctor.sentences[0].time == "00:02"
    assert [sentence.is_question for sentence in doctor.sentences] == [False, True]


def test_a_lone_full_stop_before_a_figure_is_a_decimal_point_not_an_end() -> None:
    (turn,) = read_turns("[patient] it was ninety eight . 2 this morning .")
    assert len(turn.sentences) == 1


def test_speakers_whose_labels_are_swapped_are_exchanged() -> None:
    swapped = (
        "[patient] any fever or chills?\n[doctor] no.\n"
        "[patient] let's get an x-ray. i want you to rest.\n[doctor] okay.\n"
    )
    assert [turn.clinician for turn in read_turns(swapped)] == [True, False, True, False]


def test_a_long_run_without_full_stops_is_cut_at_its_pauses() -> None:
    words = "the knee hurts when i walk and it clicks at night "
    (turn,) = read_turns("[patient] " + "so ".join([words] * 12))
    assert len(turn.sentences) > 3
    assert max(len(sentence.text) for sentence in turn.sentences) < 400


def test_text_without_any_label_is_still_read() -> None:
    assert [turn.text for turn in read_turns("just some dictated words.\n\nand more.")] == [
        "just some dictated words.",
        "and more.",
    ]
