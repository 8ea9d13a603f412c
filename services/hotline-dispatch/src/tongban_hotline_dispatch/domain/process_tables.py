"""The rows of the two state machines (hotline.md 3.2 and 3.3), as data."""

from tongban_hotline_dispatch.domain.moves import (
    ENDED,
    GONE_STATES,
    STATE_NAMES,
    STATUS_NAMES,
    Act,
    Actor,
    State,
    Status,
    Table,
    on,
)

_S, _T, _A = Status, State, Act
_AG, _DS, _HC, _RV = Actor.AGENT, Actor.DISPATCHER, Actor.CENTER, Actor.REVIEWER
_CB, _UO, _CP, _SYS = Actor.CALLER_BACK, Actor.UNIT, Actor.CITIZEN, Actor.TIMER

_INTAKE = (_S.DRAFT, _S.REGISTERED)
_WITH_UNIT = (_S.ASSIGNED, _S.SIGNED, _S.RETURN_REVIEW, _S.SUSPENDED, _S.REWORK, _S.HARD_CASE)
_HANDLED = (_S.SIGNED, _S.REWORK, _S.HARD_CASE)
_ANSWERABLE = (_S.SIGNED, _S.REWORK, _S.HARD_CASE, _S.PHASED)
_LATER = (_S.REPLIED, _S.CALLBACK, _S.PHASED)
_BEFORE_UNIT = (_S.REGISTERED, _S.AWAITING_FACTS, _S.CONSULTING)
_SHARED = (*_WITH_UNIT, *_LATER)
# Where a callback that the deadline opened may still wait.
_UNCLOSED = (*_BEFORE_UNIT, *_WITH_UNIT, _S.REPLIED, _S.PHASED, _S.MERGED)
_LIVE = (*_BEFORE_UNIT, *_WITH_UNIT, *_LATER)
_EXPLAINED = "不予受理情形告知理由和途径：国办函〔2025〕66号(二)、潍坊市条例第十九条"
_RETURNS = (
    "派单异议审核：北京市条例第十二条、国办函〔2025〕66号(五)；退单时限参照安阳市条例第五十条"
)
_FORCED = "指定承办的不得再退：潍坊市条例第二十二条；两次退单后指定（本系统默认）"
_LEAD = "主办、协办：北京市条例第十四条、济南市条例第二十九条"
_LONGER = "延期：安阳市条例第五十条、济南市营商环境条例第六十二条"
_PAUSED = (
    "检验检测鉴定、听证期间不计入：市场监督管理投诉举报处理暂行办法第二十条、信访工作条例第三十六条"
)
_REVIEWED = "逐件审核：济南市条例第二十七条"
_CALLED = "回访：北京市条例第二十三条、济南市条例第二十七条"
_REDONE = (
    "重办：济南市条例第二十七条；3个工作日参照上海市静安区大宁路街道规定，最多两轮（本系统默认）"
)
_IN_PHASES = "阶段性办结须有措施和明确日期：济南市条例第二十四条第三项"
_ENDED_EARLY = "终止办理须书面申请、中心审核：潍坊市条例第二十一条"
_HARD = "疑难事项提级：济南市条例第二十六条、第二十九条、第三十条"
_JOINED = "重复事项合并：国办函〔2025〕66号(五)"

TICKET = Table(
    (
        on(_A.REGISTER, "受理", [_S.DRAFT], _S.REGISTERED, [_AG], "各地规定：即时受理"),
        on(
            _A.REQUEST_FACTS,
            "要求补充",
            _INTAKE,
            _S.AWAITING_FACTS,
            [_AG, _DS],
            "要素不全的请诉求人补充（本系统默认）",
            limit="supplement",
        ),
        on(
            _A.SUPPLEMENT,
            "补充事实",
            [_S.AWAITING_FACTS],
            _S.REGISTERED,
            [_CP, _AG, _DS],
            "补充后受理",
        ),
        on(_A.SUPPLEMENT, "补充事实", _LIVE[3:], None, [_CP, _AG, _DS], "有新的事实随时补充"),
        on(
            _A.SUPPLEMENT,
            "补充事实",
            _BEFORE_UNIT[::2],
            None,
            [_CP, _AG, _DS],
            "有新的事实随时补充",
        ),
        on(
            _A.REPEAT,
            "重复反映",
            [*_LIVE, _S.MERGED, *ENDED],
            None,
            [_CP, _AG],
            "不另立工单，催办并告知进展、结果：国办函〔2025〕66号(五)",
        ),
        on(
            _A.LAPSE,
            "逾期未补充",
            [_S.AWAITING_FACTS],
            _S.CLOSED,
            [_SYS],
            "逾期未补充的，按无实质诉求办结（本系统默认）",
        ),
        on(
            _A.ROUTE_OUT,
            "引导",
            [*_INTAKE, _S.AWAITING_FACTS, _S.CONSULTING],
            _S.ROUTED_OUT,
            [_AG, _DS],
            _EXPLAINED,
        ),
        on(
            _A.ANSWER,
            "直接答复",
            _INTAKE,
            _S.ANSWERED,
            [_AG, _DS],
            "能当场答复的即时答复：各地规定",
        ),
        on(
            _A.CONSULT,
            "会商",
            [_S.REGISTERED],
            _S.CONSULTING,
            [_DS, _HC],
            "派单前会商：北京市条例第十二条、国办函〔2025〕66号(五)",
            limit="consultation",
        ),
        on(
            _A.CONCLUDE,
            "会商结束",
            [_S.CONSULTING],
            _S.REGISTERED,
            [_DS, _HC],
            "会商明确职责后派单",
        ),
        on(
            _A.ASSIGN,
            "派单",
            [_S.REGISTERED, _S.CONSULTING, _S.HARD_CASE],
            _S.ASSIGNED,
            [_DS, _HC],
            "即时派单：北京市条例第十一条",
            limit="dispatch",
        ),
        on(
            _A.FORCE,
            "指定承办",
            [_S.REGISTERED, _S.CONSULTING, _S.HARD_CASE],
            _S.ASSIGNED,
            [_HC, _DS],
            _FORCED,
        ),
        on(
            _A.TRANSFER,
            "改派",
            [_S.ASSIGNED, _S.SIGNED, _S.REWORK, _S.HARD_CASE],
            _S.ASSIGNED,
            [_DS, _HC],
            "改派不重置市民时钟（本系统默认）",
        ),
        on(
            _A.SIGN,
            "签收",
            [_S.ASSIGNED],
            _S.SIGNED,
            [_UO],
            "签收不启动承办时限，迟签不获益（本系统默认）",
            limit="sign",
        ),
        on(_A.SIGN, "补签", [_S.SIGNED], None, [_UO], "自动签收后由承办单位补签"),
        on(_A.SIGN, "协办签收", _SHARED, None, [_UO], _LEAD, limit="sign"),
        on(
            _A.AUTO_SIGN,
            "自动签收",
            [_S.ASSIGNED],
            _S.SIGNED,
            [_SYS],
            "逾期未签收的自动签收并计入（本系统默认）",
        ),
        on(_A.AUTO_SIGN, "自动签收", _SHARED, None, [_SYS], "协办单位同样适用（本系统默认）"),
        on(
            _A.CONTACT,
            "先行联系",
            _HANDLED,
            None,
            [_UO],
            "及时联系：北京市条例第十五条；1个工作日参照安阳市条例第五十二条",
            limit="contact",
        ),
        on(_A.ADD_UNIT, "加派", [_S.SIGNED, _S.REWORK, _S.HARD_CASE], None, [_UO], _LEAD),
        on(
            _A.DELEGATE,
            "下派",
            [_S.SIGNED, _S.REWORK],
            None,
            [_UO],
            "部门职责不得下派乡镇、社区：国办函〔2025〕66号(五)、潍坊市条例第二十四条",
        ),
        on(
            _A.ASK_RETURN,
            "申请退单",
            [_S.ASSIGNED, _S.SIGNED],
            _S.RETURN_REVIEW,
            [_UO],
            _RETURNS,
            limit="return",
        ),
        on(
            _A.UPHOLD_RETURN,
            "准予退单",
            [_S.RETURN_REVIEW],
            _S.REGISTERED,
            [_DS, _HC],
            _RETURNS,
            limit="return_decision",
        ),
        on(
            _A.REJECT_RETURN,
            "不予退单",
            [_S.RETURN_REVIEW],
            _S.SIGNED,
            [_DS, _HC, _SYS],
            "逾期未审的视为不予退单，审核期间时钟不停（本系统默认）",
            limit="return_decision",
        ),
        on(_A.ASK_EXTENSION, "申请延期", _SHARED, None, [_UO], _LONGER),
        on(
            _A.APPROVE_EXTENSION,
            "准予延期",
            _SHARED,
            None,
            [_DS, _HC],
            _LONGER,
            limit="extension_decision",
        ),
        on(
            _A.REFUSE_EXTENSION,
            "不予延期",
            _SHARED,
            None,
            [_DS, _HC, _SYS],
            "逾期未审的视为不予延期（本系统默认）",
            limit="extension_decision",
        ),
        on(_A.ASK_SUSPENSION, "申请挂起", [_S.SIGNED, _S.REWORK], None, [_UO], _PAUSED),
        on(
            _A.SUSPEND,
            "挂起",
            [_S.SIGNED, _S.REWORK],
            _S.SUSPENDED,
            [_HC],
            _PAUSED,
            limit="suspension",
        ),
        on(
            _A.REFUSE_SUSPENSION,
            "不予挂起",
            _HANDLED,
            None,
            [_HC],
            _PAUSED,
            limit="suspension_decision",
        ),
        on(_A.RESUME, "恢复办理", [_S.SUSPENDED], _S.SIGNED, [_UO, _SYS], _PAUSED),
        on(_A.RESUME, "恢复办理", [_S.SUSPENDED], _S.REWORK, [_UO, _SYS], _PAUSED),
        on(
            _A.REPLY,
            "答复",
            _ANSWERABLE,
            _S.REPLIED,
            [_UO],
            "期限内答复诉求人和热线：北京市条例第十五条、济南市条例第二十四条",
        ),
        on(
            _A.REPLY,
            "答复（自动审核）",
            _ANSWERABLE,
            _S.CALLBACK,
            [_UO],
            "低风险事项按规则自动通过审核（本系统默认）",
        ),
        on(_A.CO_REPLY, "协办反馈", _SHARED, None, [_UO], _LEAD),
        on(
            _A.PASS_REVIEW,
            "审核通过",
            [_S.REPLIED],
            _S.CALLBACK,
            [_RV, _DS],
            _REVIEWED,
            limit="review",
        ),
        on(
            _A.FAIL_REVIEW, "审核退回", [_S.REPLIED], _S.REWORK, [_RV, _DS], _REDONE, limit="rework"
        ),
        on(_A.FAIL_REVIEW, "审核退回", [_S.REPLIED], _S.HARD_CASE, [_RV, _DS], _REDONE),
        on(_A.ASK_PHASE, "申请阶段性办结", _HANDLED, None, [_UO], _IN_PHASES),
        on(
            _A.PHASE,
            "阶段性办结",
            _HANDLED,
            _S.PHASED,
            [_RV, _DS, _HC],
            _IN_PHASES,
            limit="phase_decision",
        ),
        on(
            _A.REFUSE_PHASE,
            "不予阶段性办结",
            _HANDLED,
            None,
            [_RV, _DS, _HC],
            _IN_PHASES,
            limit="phase_decision",
        ),
        on(
            _A.LAPSE_PROMISE, "承诺到期", [_S.PHASED], _S.REWORK, [_SYS], _IN_PHASES, limit="rework"
        ),
        on(_A.ASK_TERMINATION, "申请终止", _HANDLED, None, [_UO], _ENDED_EARLY),
        on(
            _A.TERMINATE,
            "终止办理",
            _HANDLED,
            _S.TERMINATED,
            [_HC],
            _ENDED_EARLY,
            limit="termination_decision",
        ),
        on(
            _A.REFUSE_TERMINATION,
            "不予终止",
            _HANDLED,
            None,
            [_HC],
            _ENDED_EARLY,
            limit="termination_decision",
        ),
        on(
            _A.OPEN_CALLBACK,
            "到期回访",
            [*_WITH_UNIT, _S.MERGED],
            None,
            [_SYS],
            "时限届满即回访：北京市条例第二十三条",
        ),
        on(_A.ATTEMPT, "回访未通", [*_UNCLOSED, _S.CALLBACK], None, [_CB], _CALLED),
        on(_A.CALL_BACK, "回访", _UNCLOSED, None, [_CB], _CALLED),
        on(_A.CALL_BACK, "回访办结", [_S.CALLBACK], _S.CLOSED, [_CB], _CALLED, limit="callback"),
        on(_A.CALL_BACK, "回访重办", [_S.CALLBACK], _S.REWORK, [_CB], _REDONE, limit="rework"),
        on(_A.CALL_BACK, "回访转疑难", [_S.CALLBACK], _S.HARD_CASE, [_CB], _REDONE),
        on(
            _A.LAPSE_CALLBACK,
            "回访未果",
            [_S.CALLBACK],
            _S.CLOSED,
            [_CB, _SYS],
            "多次联系不上的记未接通，不计入满意率（本系统默认）",
            limit="callback",
        ),
        on(
            _A.LAPSE_CALLBACK,
            "到期回访未果",
            _UNCLOSED,
            None,
            [_CB, _SYS],
            "工单仍由承办单位办理，不计入满意率（本系统默认）",
            limit="callback",
        ),
        on(
            _A.TAKE_REVIEW,
            "诉求人评价不满意",
            [_S.CALLBACK],
            None,
            [_CP],
            "诉求人先行评价的以其评价为准，是否重办由回访员决定（本系统默认）",
        ),
        on(
            _A.CLOSE,
            "办结",
            [_S.REPLIED, _S.CALLBACK],
            _S.CLOSED,
            [_RV, _CB, _DS],
            "审核通过并已回访，或者依规则免回访",
        ),
        on(
            _A.SUPERVISE,
            "督办",
            _LIVE,
            None,
            [_HC],
            "督办：济南市条例第二十八条、潍坊市条例第二十六条",
        ),
        on(
            _A.ESCALATE,
            "列为疑难",
            [_S.CONSULTING, _S.SIGNED, _S.REWORK, _S.CALLBACK],
            _S.HARD_CASE,
            [_HC, _SYS],
            _HARD,
            limit="hard_case",
        ),
        on(
            _A.WITHDRAW,
            "撤单",
            [*_LIVE, _S.MERGED],
            _S.WITHDRAWN,
            [_CP, _AG, _DS],
            "诉求人可以撤回诉求",
        ),
        on(
            _A.MERGE,
            "并单",
            [_S.REGISTERED, _S.CONSULTING, _S.ASSIGNED, _S.SIGNED],
            _S.MERGED,
            [_AG, _DS],
            _JOINED,
        ),
        on(
            _A.UNMERGE,
            "拆单",
            [_S.MERGED],
            _S.REGISTERED,
            [_AG, _DS],
            "办结前可以拆单（本系统默认）",
        ),
        on(
            _A.INHERIT,
            "随主单答复",
            [_S.MERGED],
            _S.CALLBACK,
            [_SYS],
            "并单的每位诉求人均答复、回访",
        ),
        on(_A.INHERIT, "随主单答复", [_S.MERGED], _S.CLOSED, [_SYS], "依规则免回访的随主单办结"),
        on(
            _A.REOPEN,
            "重启办理",
            [_S.CLOSED, _S.ARCHIVED, _S.ROUTED_OUT],
            _S.REGISTERED,
            [_CP, _DS, _HC],
            "对结果有异议的：济南市条例第十六条、潍坊市条例第十四条；30日（本系统默认）",
            limit="reopen",
        ),
        on(
            _A.ARCHIVE,
            "归档",
            [_S.CLOSED],
            _S.ARCHIVED,
            [_SYS],
            "评价期满归档（本系统默认）",
            limit="archive",
        ),
    ),
    STATUS_NAMES,
)

_WORKING = (_T.SIGNED, _T.CONTACTED, _T.REWORK)
_NOT_GONE = [each for each in State if each not in GONE_STATES | {_T.DONE}]
ASSIGNMENT = Table(
    (
        on(_A.SIGN, "签收", [_T.WAITING], _T.SIGNED, [_UO], "签收", limit="sign"),
        on(_A.SIGN, "补签", [_T.SIGNED, _T.CONTACTED], None, [_UO], "自动签收后由承办单位补签"),
        on(_A.AUTO_SIGN, "自动签收", [_T.WAITING], _T.SIGNED, [_SYS], "逾期未签收", limit="sign"),
        on(_A.CONTACT, "先行联系", [_T.SIGNED], _T.CONTACTED, [_UO], "先行联系", limit="contact"),
        on(_A.CONTACT, "再次联系", [_T.CONTACTED, _T.REWORK], None, [_UO], "先行联系"),
        on(
            _A.ASK_RETURN,
            "申请退单",
            [_T.WAITING, _T.SIGNED, _T.CONTACTED],
            _T.RETURN_REQUESTED,
            [_UO],
            _RETURNS,
            limit="return",
        ),
        on(_A.UPHOLD_RETURN, "准予退单", [_T.RETURN_REQUESTED], _T.RETURNED, [_DS, _HC], _RETURNS),
        on(
            _A.REJECT_RETURN,
            "不予退单",
            [_T.RETURN_REQUESTED],
            _T.SIGNED,
            [_DS, _HC, _SYS],
            _RETURNS,
        ),
        on(_A.REPLY, "答复", [*_WORKING, _T.REPLIED], _T.REPLIED, [_UO], "答复"),
        on(_A.CO_REPLY, "协办反馈", _WORKING, _T.REPLIED, [_UO], _LEAD),
        on(_A.PHASE, "阶段性办结", _WORKING, _T.REPLIED, [_RV], _IN_PHASES),
        on(_A.FAIL_REVIEW, "重办", [_T.REPLIED], _T.REWORK, [_RV], _REDONE, limit="rework"),
        on(_A.CALL_BACK, "重办", [_T.REPLIED], _T.REWORK, [_CB], _REDONE, limit="rework"),
        on(_A.LAPSE_PROMISE, "重办", [_T.REPLIED], _T.REWORK, [_SYS], _IN_PHASES, limit="rework"),
        on(_A.INHERIT, "随主单答复", [_T.WAITING], _T.REPLIED, [_SYS], _JOINED),
        on(_A.FINISH, "办结", [_T.REPLIED], _T.DONE, [_RV, _CB, _SYS], "随主单办结"),
        on(_A.CANCEL, "取消", _NOT_GONE, _T.CANCELLED, [_DS, _SYS], "改派、并单、撤单、终止时取消"),
    ),
    STATE_NAMES,
)
