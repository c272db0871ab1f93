import pytest

from kb.accounts.browsers import in_words

AGENTS = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0": "Edge，Windows",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36": "Chrome，Windows",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15": "Safari，macOS",
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0": "Firefox，Linux",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 wxwork/4.1.28 MicroMessenger/7.0.1": "企业微信，iPhone",
    "Mozilla/5.0 (Linux; Android 14; V2309A) AppleWebKit/537.36 Chrome/116.0 Mobile Safari/537.36 MicroMessenger/8.0.50": "微信，Android",
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/116.0 Mobile Safari/537.36 AliApp(DingTalk/7.6.0)": "钉钉，Android",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/118 Safari/537.36 Lark/7.21 LarkLocale/zh_CN": "飞书，Windows",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 CriOS/130.0 Mobile/15E148 Safari/604.1": "Chrome，iPhone",
    "curl/8.5.0": "未知浏览器",
    "": "未知浏览器",
    "<script>alert(1)</script> chrome": "Chrome",
}


@pytest.mark.parametrize("agent", AGENTS)
def test_a_browser_is_named_as_its_owner_knows_it(agent):
    assert in_words(agent) == AGENTS[agent]
