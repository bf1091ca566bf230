from engine.data.sections.reading import UNDEFINED, WINDOWS, decode


def test_utf_8_and_the_three_ends_of_a_line() -> None:
    assert decode("Größe\r\n37 °C\rend\n".encode()) == ("Größe\n37 °C\nend\n", ())


def test_windows_1252_is_read_as_such_and_told() -> None:
    assert decode("patient’s – 37 °C".encode("cp1252")) == ("patient’s – 37 °C", (WINDOWS,))


def test_a_byte_that_no_encoding_knows_is_told() -> None:
    assert decode(b"a\x81b\xb0") == ("a\ufffdb°", (WINDOWS, UNDEFINED))
