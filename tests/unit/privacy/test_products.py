"""Precision of torch's products: set by any of its ways, it decides nothing here and stands again afterwards."""

import pytest

from tabsynth.errors import UsageError
from tabsynth.privacy.products import products_of

torch = pytest.importorskip("torch", reason="needs the extra gan")

from tabsynth.models.neural.devices import chosen_device, working_on  # noqa: E402

CPU = torch.device("cpu")
CUDA, MKLDNN = torch.backends.cuda.matmul, torch.backends.mkldnn.matmul


def older():
    """What the older setting says; it refuses to be read where the newer ones were used."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return "raises"


def settings():
    wider = (torch.backends.fp32_precision, torch.backends.mkldnn.fp32_precision)
    return (older(), *wider, CUDA.fp32_precision, MKLDNN.fp32_precision)


@pytest.fixture(autouse=True)
def _as_torch_begins():
    yield
    torch.set_float32_matmul_precision("highest")
    for backend in (torch.backends, torch.backends.mkldnn, torch.backends.cudnn, CUDA, MKLDNN):
        backend.fp32_precision = "none"


WAYS = {
    "untouched": (lambda: None, "highest"),
    "older, high": (lambda: torch.set_float32_matmul_precision("high"), "high"),
    "older, medium": (lambda: torch.set_float32_matmul_precision("medium"), "medium"),
    "older, of a GPU": (lambda: setattr(CUDA, "allow_tf32", True), "high"),
    "newer, all": (lambda: setattr(torch.backends, "fp32_precision", "tf32"), "raises"),
    "newer, all in full": (lambda: setattr(torch.backends, "fp32_precision", "ieee"), "highest"),
    "newer, of a GPU": (lambda: setattr(CUDA, "fp32_precision", "tf32"), "raises"),
    "newer, of a CPU": (lambda: setattr(MKLDNN, "fp32_precision", "bf16"), "raises"),
    "newer, all of a CPU": (lambda: setattr(torch.backends.mkldnn, "fp32_precision", "bf16"), "raises"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("precision", ["ieee", "tf32"])
def test_callers_settings_stand_afterwards(way, precision):
    change, told = WAYS[way]
    change()
    before = settings()
    assert before[0] == told
    with products_of(precision):
        assert (CUDA.fp32_precision, MKLDNN.fp32_precision) == (precision, precision)
        with products_of("ieee"):
            assert (CUDA.fp32_precision, MKLDNN.fp32_precision) == ("ieee", "ieee")
        assert (CUDA.fp32_precision, MKLDNN.fp32_precision) == (precision, precision)
    assert settings() == before


@pytest.mark.parametrize("way", WAYS)
def test_they_stand_after_an_error(way):
    WAYS[way][0]()
    before = settings()
    with pytest.raises(KeyError), products_of("tf32"):
        raise KeyError
    assert settings() == before


def test_a_wider_setting_is_followed_again():
    """What was unset is unset afterwards, and not held at what it stood for."""
    torch.backends.fp32_precision = "tf32"
    with products_of("ieee"):
        pass
    torch.backends.fp32_precision = "ieee"
    assert (CUDA.fp32_precision, MKLDNN.fp32_precision) == ("ieee", "ieee")


def fails(device):
    with working_on(device, threads=1):
        assert torch.get_num_threads() == 1
        assert CUDA.fp32_precision == ("ieee" if device == CPU else "tf32")
        raise KeyError


def test_threads_and_products_are_those_of_the_device():
    n = torch.get_num_threads()
    torch.set_float32_matmul_precision("medium")
    for device in (CPU, torch.device("cuda")):
        with pytest.raises(KeyError):
            fails(device)
        assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == (n, "medium")
    with working_on(CPU, threads=0):
        assert torch.get_num_threads() == n


def test_a_device_by_name():
    assert chosen_device("cpu") == CPU
    if torch.cuda.is_available():
        assert {chosen_device(name).type for name in ("auto", "cuda")} == {"cuda"}
    else:
        assert chosen_device("auto") == CPU
        with pytest.raises(UsageError, match="device 'cuda' was asked for"):
            chosen_device("cuda")
